/**
 * As much of Angular and RxJS as the page uses, by their documentation: the packages are too large for two dozen lines. What must not rot is how
 * they use our side.
 */
declare module '@angular/core' {
  export function Injectable(options: {
    readonly providedIn: 'root'
  }): (target: unknown, context: unknown) => void
  export type Signal<Value> = () => Value
  export interface WritableSignal<Value> extends Signal<Value> {
    set(value: Value): void
    asReadonly(): Signal<Value>
  }
  export function signal<Value>(value: Value): WritableSignal<Value>
  export function inject<Value>(token: new () => Value): Value
  export class DestroyRef {
    onDestroy(callback: () => void): () => void
  }
}

declare module 'rxjs' {
  export interface Observable<Value> {
    pipe<Next>(operator: (source: Observable<Value>) => Observable<Next>): Observable<Next>
  }
  export function from<Value>(promise: Promise<Value>): Observable<Value>
  export function of<Value>(value: Value): Observable<Value>
  export function throwError(make: () => unknown): Observable<never>
  export function switchMap<Value, Next>(
    project: (value: Value) => Observable<Next>,
  ): (source: Observable<Value>) => Observable<Next>
}

declare module '@angular/common/http' {
  import type { Observable } from 'rxjs'
  export class HttpHeaders {
    constructor(headers?: Readonly<Record<string, string>>)
    keys(): string[]
    has(name: string): boolean
    get(name: string): string | null
  }
  interface Init {
    readonly headers?: HttpHeaders
    readonly status?: number
    readonly statusText?: string
    readonly url?: string
  }
  export class HttpResponse {
    constructor(init: Init & { readonly body?: unknown })
    readonly type: 'response'
  }
  export class HttpErrorResponse {
    constructor(init: Init & { readonly error?: unknown })
  }
  export interface HttpRequest {
    readonly url: string
    readonly urlWithParams: string
    readonly method: string
    readonly headers: HttpHeaders
    readonly responseType: 'arraybuffer' | 'blob' | 'json' | 'text'
    serializeBody(): unknown
    detectContentTypeHeader(): string | null
  }
  export type HttpInterceptorFn = (
    request: HttpRequest,
    next: (request: HttpRequest) => Observable<HttpResponse>,
  ) => Observable<HttpResponse>
}
