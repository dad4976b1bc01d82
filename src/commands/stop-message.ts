/** The signals that stop the gateway. */
export type StopSignal = 'SIGTERM' | 'SIGINT'

/** What a supervisor tells its workers. */
export interface StopMessage {
  readonly coatcheck: 'stop'
  readonly signal: StopSignal
}

/** The signal of a {@link StopMessage}, or `undefined` for any other message. */
export function readStopMessage(message: unknown): StopSignal | undefined {
  if (typeof message !== 'object' || message === null || Reflect.get(message, 'coatcheck') !== 'stop')
    return undefined
  return Reflect.get(message, 'signal') === 'SIGINT' ? 'SIGINT' : 'SIGTERM'
}
