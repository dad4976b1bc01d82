/** The part of oidc-provider 9 (which ships no types) that the demo uses. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  /** A Koa context; `oidc` is there only inside the library's own routes. */
  export interface ProviderContext {
    readonly req: IncomingMessage
    readonly res: ServerResponse
    readonly method: string
    readonly path: string
    readonly query: Readonly<Record<string, string | string[] | undefined>>
    status: number
    type: string
    body: unknown
    redirect(url: string): void
    set(name: string, value: string): void
    readonly cookies: { set(name: string, value: string | null, options?: object): void }
    readonly oidc: OidcContext
  }

  export interface OidcContext {
    readonly params: Record<string, string | undefined>
    /** Authentication context of the browser's session. */
    readonly acr?: string
    readonly session?: Session
    readonly body?: Readonly<Record<string, string | undefined>>
    readonly client: Client
    readonly account?: { readonly accountId: string }
    readonly requestParamOIDCScopes: Set<string>
    readonly requestParamScopes: Set<string>
    readonly resourceServers: Readonly<Record<string, { readonly scopes: Set<string> }>>
    readonly entities: { RefreshToken?: TokenSource; AuthorizationCode?: TokenSource }
  }

  export interface TokenSource {
    readonly grantId: string
    readonly accountId: string
    readonly clientId: string
    readonly resourceServer?: { identifier(): string }
    /** When the user signed in, epoch seconds. */
    readonly authTime?: number
    readonly acr?: string
    sid?: string | undefined
  }

  export interface Client {
    readonly clientId: string
    backchannelLogout(subject: string, sid: string): Promise<void>
    postLogoutRedirectUriAllowed(uri: string): boolean
    grantTypeAllowed(type: string): boolean
  }

  export interface Session {
    readonly uid: string
    readonly accountId?: string
    readonly authorizations?: Readonly<Record<string, unknown>>
    sidFor(clientId: string): string
    destroy(): Promise<void>
  }

  export interface Interaction {
    readonly uid: string
    readonly prompt: { readonly name: string }
    readonly params: Readonly<Record<string, string | undefined>>
  }

  export interface Grant {
    readonly jti: string
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    rejectResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    readonly issuer: string
    readonly Client: { find(id: string): Promise<Client | undefined> }
    readonly Session: {
      get(ctx: ProviderContext): Promise<Session>
      findByUid(uid: string): Promise<Session | undefined>
    }
    readonly Grant: new (properties: {
      accountId: string
      clientId: string
    }) => Grant
    readonly IdToken: {
      validate(token: string, client: Client): Promise<{ payload: Record<string, unknown> }>
    }
    use(middleware: (ctx: ProviderContext, next: () => Promise<void>) => Promise<void>): this
    on(event: string, listener: (...values: never[]) => void): this
    callback(): (request: IncomingMessage, response: ServerResponse) => void
    cookieName(type: 'session'): string
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionResult(request: IncomingMessage, response: ServerResponse, result: object): Promise<string>
  }

  export const interactionPolicy: {
    base(): { get(name: string): { readonly checks: { add(check: object): void } } }
    readonly Check: new (
      reason: string,
      description: string,
      isNeeded: (ctx: ProviderContext) => boolean,
    ) => object
  }

  export const errors: {
    readonly AccessDenied: new (description: string) => Error
  }
}
