/** Where the gateway answers itself (DESIGN section 2.1). Paths only, never with a query. */
export interface GatewayPaths {
  readonly login: string
  readonly callback: string
  readonly session: string
  readonly sessionRefresh: string
  readonly sessions: string
  readonly logout: string
  readonly logoutCallback: string
  readonly backchannelLogout: string
  readonly frontchannelLogout: string
  /** Where browsers bind a session to their device … */
  readonly device: string
  /** … and renew the proof. */
  readonly deviceRefresh: string
  readonly clientKeys: string
  /** The browser helper. */
  readonly client: string
  /** Probes know nothing of the app, so `AUTH_PREFIX` never moves them. */
  readonly livez: string
  readonly readyz: string
}

/**
 * The paths of the gateway's own endpoints.
 *
 * @param authPrefix empty, or a path without a trailing slash
 */
export function gatewayPaths(authPrefix: string): GatewayPaths {
  return {
    login: `${authPrefix}/login`,
    callback: `${authPrefix}/callback`,
    session: `${authPrefix}/session`,
    sessionRefresh: `${authPrefix}/session/refresh`,
    sessions: `${authPrefix}/sessions`,
    logout: `${authPrefix}/logout`,
    logoutCallback: `${authPrefix}/logout/callback`,
    backchannelLogout: `${authPrefix}/backchannel-logout`,
    frontchannelLogout: `${authPrefix}/frontchannel-logout`,
    device: `${authPrefix}/device`,
    deviceRefresh: `${authPrefix}/device/refresh`,
    clientKeys: `${authPrefix}/client-keys`,
    client: `${authPrefix}/client.js`,
    livez: '/livez',
    readyz: '/readyz',
  }
}
