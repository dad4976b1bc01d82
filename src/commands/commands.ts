import type { Command } from './command.ts'
import { beginStart } from './starting.ts'

/** Every command, in the order of help. The first one runs when none is named. */
export const commands: readonly [Command, ...Command[]] = [
  {
    name: 'start',
    summary: 'Start the gateway (the default).',
    details: ['coatcheck help settings lists the settings.'],
    load: () => {
      beginStart()
      return import('./start.ts')
    },
  },
  {
    name: 'init',
    usage: '[flags]',
    summary: 'Write a .env by asking, then run doctor.',
    details: [
      '  --issuer URL              the provider (ISSUER_URL)',
      '  --client-id ID            the client registered there (CLIENT_ID)',
      '  --client-secret-file FILE where its secret is; else you are asked',
      '  --audience TEXT           the identifier of the API (API_AUDIENCE)',
      '  --api URL                 where the API listens (default http://localhost:8080)',
      '  --base-url URL            what browsers open (default http://localhost:3000)',
      '  --spa URL|FOLDER          the dev server, or the folder of the built app',
      '  --redis URL               where sessions are kept; in memory without it',
      '  --force                   replaces a .env that is there',
      '  --skip-doctor             only writes',
      '',
      'Makes a SESSION_SECRET, and prints the addresses to register at the provider.',
    ],
    load: () => import('./init.ts'),
  },
  {
    name: 'dev',
    usage: '[flags] […]',
    summary: 'Test provider, gateway and your app at once.',
    details: [
      '  "COMMAND"           a program of the app to run beside it; several are possible:',
      '                      coatcheck dev "npm run api" "npm run web"',
      '  --api URL           where the API listens (API_URL; default http://localhost:8080)',
      '  --spa URL           the development server (SPA_URL; default http://localhost:5173)',
      '  --port PORT         where to open the app (BASE_URL; default 3000)',
      '  --users FILE        who can sign in, as JSON; default two people',
      '',
      'Needs no account anywhere and no .env; what one says of the app is taken. Sessions',
      'live in memory. For development only.',
    ],
    load: () => import('./dev.ts'),
  },
  {
    name: 'config',
    summary: 'Show the configuration in effect, secrets masked.',
    details: [
      'Every setting and where it comes from, then the routes. What is',
      'wrong is reported as start would; exit code 1 then.',
    ],
    load: () => import('./config.ts'),
  },
  {
    name: 'doctor',
    usage: '[--login] [--json]',
    summary: 'Check the configuration against the live world.',
    details: [
      '  --login             also waits for one real sign-in, and explains its tokens',
      '  --json              one JSON document instead of lines',
      '',
      'Exit code 1 when a check failed.',
    ],
    load: () => import('./doctor.ts'),
  },
  {
    name: 'sessions',
    usage: 'list|revoke',
    summary: 'List or end sessions in Redis.',
    details: [
      '  list                what is there; all of it unless one of these is given',
      '  revoke              ends what is chosen by exactly one of these',
      '',
      "  --sub SUBJECT       a user's sessions, by the sub of the ID token",
      '  --sid SID           those of one session at the provider, by the sid of the ID token',
      '  --ref REFERENCE     one session, as list and the log (sessionRef) call it',
      '  --all               every session',
      '  --json              one JSON document a line',
      '',
      'Takes the settings of the gateway, old secrets of a rotation included, and needs its',
      'Redis. A revoked session is refused at once on every node, and its open streams',
      'close. Its refresh token is not revoked at the provider: only the cookie could',
      'open it.',
    ],
    load: () => import('./sessions.ts'),
  },
  {
    name: 'test-session',
    usage: '--user … --access-token-file …',
    summary: 'Make a session for a test user, on loopback.',
    details: [
      '  --user USER              a sub, or claims as JSON: {"sub":"alice","name":"Alice"}',
      '  --access-token-file FILE the token that the API shall receive; - reads standard input',
      '',
      'Prints the cookie and the headers of a real session as JSON. For tests only: BASE_URL',
      'must be on loopback, COATCHECK_TESTING must be on, and sessions must be in Redis.',
    ],
    load: () => import('./test-session.ts'),
  },
  {
    name: 'secret',
    summary: 'Make a random SESSION_SECRET.',
    details: ['256 bits, on standard output and nothing else: coatcheck secret > session-secret'],
    load: () => import('./secret.ts'),
  },
  {
    name: 'client-key',
    usage: '[--for PROVIDER]',
    summary: 'Make a private key that stands in for CLIENT_SECRET.',
    details: [
      '  --for PROVIDER      auth0, keycloak, entra or okta: what to paste where; all by default',
      '  --algorithm ALG     ES256, PS256, RS256 or EdDSA; by default what the provider takes',
      '',
      'The key is on standard output and nothing else, the rest on standard error:',
      'coatcheck client-key --for okta > client-key.pem',
    ],
    load: () => import('./client-key.ts'),
  },
  {
    name: 'help',
    usage: '[settings|command]',
    summary: 'Show this help (also --help).',
    load: () => import('./help.ts'),
  },
  { name: 'version', summary: 'Show the version (also --version).', load: () => import('./version.ts') },
]
