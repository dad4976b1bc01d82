import {
  filePath,
  listenHost,
  maskProxyUrl,
  proxyExemptions,
  proxyUrl,
  trustedNetwork,
} from '../kinds/address.ts'
import { listOrNone, oneOf, onOff, port, seconds, wholeNumber } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** More processes than any machine has cores. */
const mostWorkers = 256
const longestShutdownSeconds = 600
const longestKeepAliveSeconds = 86_400

/** How the process runs. */
export const serverSettings = {
  title: 'The process',
  rows: {
    FRONTENDS_FILE: optional(filePath, {
      scope: 'process',
      doc: 'A YAML or JSON file with several frontends, each an app with its own `BASE_URL`, provider, client, routes and sessions; `docs/several-frontends.md` says how. Settings of frontends are then the defaults of all of them, `BASE_URL` aside.',
      example: './frontends.yaml',
    }),
    PORT: withDefault(port, '3000', {
      scope: 'process',
      doc: 'The port that browsers, or the proxy in front, reach.',
      example: '8000',
    }),
    HOST: withDefault(listenHost, '127.0.0.1', {
      scope: 'process',
      doc: 'The address to listen on. The container image sets `0.0.0.0`.',
      example: '0.0.0.0',
    }),
    ADMIN_PORT: optional(port, {
      scope: 'process',
      doc: 'A second listener for `/metrics`, `/livez` and `/readyz`; none unless set.',
      example: '9464',
    }),
    ADMIN_HOST: withDefault(listenHost, '127.0.0.1', {
      scope: 'process',
      doc: 'The address of that listener.',
      example: '0.0.0.0',
    }),
    FORWARD_AUTH_PORT: optional(port, {
      scope: 'process',
      doc: 'A listener of its own on which another proxy asks whether it may let a request through; `docs/forward-auth.md` says how. None unless set. Its answers hold access tokens: only that proxy may reach it.',
      example: '9465',
    }),
    FORWARD_AUTH_HOST: withDefault(listenHost, '127.0.0.1', {
      scope: 'process',
      doc: 'The address of that listener. Off loopback only the addresses of `TRUST_PROXY` are answered.',
      example: '0.0.0.0',
    }),
    FORWARD_AUTH_HEADERS: withDefault(oneOf('x-forwarded', 'x-original'), 'x-forwarded', {
      scope: 'process',
      doc: 'Where the original method and URI are read there: `X-Forwarded-Method` and `X-Forwarded-Uri`, or `X-Original-Method` and `X-Original-URI`. Host and scheme are in `X-Forwarded-Host` and `X-Forwarded-Proto` in both.',
      example: 'x-original',
    }),
    TRUST_PROXY: withDefault(listOrNone(trustedNetwork), 'none', {
      scope: 'process',
      doc: 'Addresses or CIDR networks of the proxies in front whose `X-Forwarded-For` is believed.',
      example: '10.0.0.0/8,192.168.1.7',
    }),
    HTTPS_PROXY: optional(proxyUrl, {
      scope: 'process',
      doc: 'The proxy through which a provider with https is reached, always by a tunnel (CONNECT). Never used for loopback, nor for `PROVIDER_ADDRESS`. Also read as `https_proxy`.',
      example: 'http://proxy.example.com:3128',
      secret: true,
      mask: maskProxyUrl,
      alsoAs: 'https_proxy',
    }),
    HTTP_PROXY: optional(proxyUrl, {
      scope: 'process',
      doc: 'The same for plain http. Also read as `http_proxy`.',
      example: 'http://proxy.example.com:3128',
      secret: true,
      mask: maskProxyUrl,
      alsoAs: 'http_proxy',
    }),
    NO_PROXY: optional(proxyExemptions, {
      scope: 'process',
      doc: 'What is reached without a proxy: hosts with all beneath them, `host:port`, addresses, CIDR networks, or `*`; separated by commas. Also read as `no_proxy`.',
      example: 'localhost,.internal.example.com,10.0.0.0/8',
      alsoAs: 'no_proxy',
    }),
    RATE_LIMIT: withDefault(onOff, 'on', {
      doc: 'Whether requests are limited per address, session and user; `docs/operations.md` has the numbers. By address only where `TRUST_PROXY` lets addresses be told apart.',
      example: 'off',
    }),
    KEEP_ALIVE_TIMEOUT: withDefault(wholeNumber(1, longestKeepAliveSeconds), '72', {
      doc: 'How long idle connections of browsers and balancers are kept. Longer than the balancer in front keeps its own, or it meets resets.',
      example: '620',
      unit: 'seconds',
      scope: 'process',
    }),
    WORKERS: withDefault(wholeNumber(1, mostWorkers), '1', {
      scope: 'process',
      doc: 'Processes that share the port. More than one needs Redis.',
      example: '4',
    }),
    DRAIN_DELAY: withDefault(seconds(0, longestShutdownSeconds), '5', {
      scope: 'process',
      doc: 'After SIGTERM `/readyz` fails this long before anything is closed, so that the balancer notices.',
      example: '10',
      unit: 'seconds (m, h, d)',
    }),
    SHUTDOWN_GRACE: withDefault(seconds(1, longestShutdownSeconds), '25', {
      scope: 'process',
      doc: 'How long requests and refreshes under way may take to finish after that.',
      example: '60',
      unit: 'seconds (m, h, d)',
    }),
    LOG_LEVEL: withDefault(oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), 'info', {
      scope: 'process',
      doc: 'The least important lines that are written. Audit events are always written.',
      example: 'warn',
    }),
    LOG_FORMAT: withDefault(oneOf('json', 'pretty'), 'json', {
      scope: 'process',
      doc: 'One JSON object a line, or lines for a person. The command chooses `pretty` by itself on a terminal.',
      example: 'pretty',
    }),
  },
} as const
