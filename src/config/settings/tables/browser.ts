import { filePath, folderPath, pathPrefixOrNone, upstreamUrl } from '../kinds/address.ts'
import { cookieWord, hsts, listOrNone, oneOf, onOff, text } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** What browsers see besides the API. */
export const browserSettings = {
  title: 'The browser',
  rows: {
    AUTH_PREFIX: withDefault(pathPrefixOrNone, '', {
      doc: "A path in front of the gateway's own endpoints (`/login`, `/session` …), for an app whose router uses those itself.",
      example: '/auth',
    }),
    COOKIE_NAME: optional(cookieWord, {
      doc: 'Takes the place of the word `coatcheck` (on loopback `coatcheck-<port>`) in the names of all cookies, never that of their prefix: for two gateways under one host name. Letters, digits and `-`, at most 32.',
      example: 'shop',
    }),
    SPA_DIR: optional(filePath, {
      doc: 'The folder of the built single-page app, with its `index.html`. Not together with `SPA_URL`; without either everything else is 404.',
      example: '/srv/app/dist',
    }),
    SPA_URL: optional(upstreamUrl, {
      doc: 'A development server of the single-page app, its hot reload included. For development: what it serves runs on the origin of the gateway.',
      example: 'http://localhost:5173',
    }),
    SPA_CSP: optional(text, {
      doc: "Replaces the `Content-Security-Policy` of the app's pages.",
      example: "default-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
    }),
    SPA_IMMUTABLE: optional(listOrNone(folderPath), {
      doc: 'Folders of `SPA_DIR`, separated by commas, whose files browsers may keep for a year when their names also hold a hash of the content; `.` is `SPA_DIR` itself without its subfolders, `none` is nothing. Without it those that Vite, webpack, Angular, Next.js, SvelteKit, Nuxt and Astro use.',
      example: 'assets, lib/chunks',
    }),
    SPA_BACK_FORWARD_CACHE: withDefault(onOff, 'off', {
      doc: "Whether browsers may keep the app's pages of `SPA_DIR` as they were when they were left, and restore them on Back. `off` sends `no-store` with them: otherwise Firefox and WebKit show the former user's data after a sign-out and Back, unless the app looks again on `pageshow`, as `coatcheck/client` does.",
      example: 'on',
    }),
    HSTS: withDefault(hsts, 'auto', {
      doc: 'The `Strict-Transport-Security` of all answers when `BASE_URL` is https; `off` sends none. `auto` is `max-age=31536000` (a year), and none on loopback: there it would keep browsers from http on every port of `localhost`.',
      example: 'max-age=63072000; includeSubDomains',
    }),
    CSRF_HEADER: withDefault(oneOf('auto', 'required'), 'auto', {
      doc: 'Whether the header `X-CSRF: 1` is asked for only where a browser sends no `Sec-Fetch-Site`, or always.',
      example: 'required',
    }),
    PAGES_DIR: optional(filePath, {
      doc: "A folder with the operator's own error and logout pages, styles and translations; `docs/pages.md` says how.",
      example: './pages',
    }),
  },
} as const
