import type { DeviceOptions } from '../../session/device/device-rule.ts'

/** What the settings say to the binding; the configuration fits. */
export interface DeviceBindingOptions extends DeviceOptions {
  readonly baseUrl: URL
  /** Everything that is proxied: what the browser shall prove its device for. */
  readonly routes: readonly { readonly prefix: string }[]
}
