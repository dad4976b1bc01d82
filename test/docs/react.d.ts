/** As much of React as the examples use: what must not rot is how they use our side. */
declare module 'react' {
  export function useState<Value>(initial: Value): [Value, (next: Value) => void]
  export function useEffect(effect: () => undefined | (() => void), dependencies: readonly unknown[]): void
}

declare namespace JSX {
  interface IntrinsicElements {
    readonly [name: string]: { readonly onClick?: () => unknown; readonly children?: unknown }
  }
}
