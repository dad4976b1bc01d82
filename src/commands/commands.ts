import type { Command } from './command.ts'

/** Every command, in the order of help. The first one runs when none is named. */
export const commands: readonly [Command, ...Command[]] = [
  { name: 'start', summary: 'Start the gateway (the default).', load: () => import('./start.ts') },
  {
    name: 'config',
    summary: 'Show the configuration in effect, secrets masked.',
    load: () => import('./config.ts'),
  },
  {
    name: 'doctor',
    usage: '[--login] [--json]',
    summary: 'Check the configuration against the live world.',
    load: () => import('./doctor.ts'),
  },
  { name: 'secret', summary: 'Make a random SESSION_SECRET.', load: () => import('./secret.ts') },
  { name: 'help', summary: 'Show this help (also --help).', load: () => import('./help.ts') },
  { name: 'version', summary: 'Show the version (also --version).', load: () => import('./version.ts') },
]
