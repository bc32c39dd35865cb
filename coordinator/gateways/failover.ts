/** Tries the gateways in their order until one accepts. */
import { errorMessage, isMailscoutError } from '../../common/errors.ts'
import type { Runtime } from '../../common/runtime.ts'
import type { Gateway, Sms } from './gateway.ts'

export type Attempt = {
  readonly gateway: string
  readonly outcome: 'accepted' | 'refused' | 'unavailable' | 'unknown'
  readonly durationMs: number
  /** The gateway's words, or what went wrong. */
  readonly error?: string
}

export type Delivery =
  | { readonly outcome: 'accepted'; readonly gateway: string; readonly providerId?: string; readonly attempts: Attempt[] }
  /**
   * No gateway has it. `temporary`: at least one may take it later; else all have said no for good.
   */
  | { readonly outcome: 'failed'; readonly temporary: boolean; readonly attempts: Attempt[] }
  /**
   * `gateway` may or may not have it. None of our kinds can be asked, so the caller sends it once more, marked "(repeat)", with
   * that gateway last (`unknownLast`): a doubled page beats silence (DESIGN 3.3).
   */
  | { readonly outcome: 'unknown'; readonly gateway: string; readonly attempts: Attempt[] }

/** Never throws: whatever goes wrong is an attempt with its words. */
export async function sendThrough(
  gateways: readonly Gateway[],
  sms: Sms,
  { runtime, signal }: { runtime: Runtime; signal?: AbortSignal },
): Promise<Delivery> {
  const attempts: Attempt[] = []
  for (const gateway of gateways) {
    const startedMs = runtime.monotonicMs()
    const note = (outcome: Attempt['outcome'], error?: string) => {
      const durationMs = runtime.monotonicMs() - startedMs
      attempts.push({ gateway: gateway.name, outcome, durationMs, ...(error === undefined ? {} : { error }) })
    }
    try {
      const acceptance = await gateway.send(signal === undefined ? sms : { ...sms, signal })
      note('accepted')
      return { outcome: 'accepted', gateway: gateway.name, ...acceptance, attempts }
    } catch (error) {
      const outcome = outcomeOf(error)
      note(outcome, errorMessage(error))
      if (outcome === 'unknown') return { outcome, gateway: gateway.name, attempts }
    }
  }
  const temporary = attempts.length === 0 || attempts.some(({ outcome }) => outcome === 'unavailable')
  return { outcome: 'failed', temporary, attempts }
}

/** An error of no known kind is a fault of ours at an unknown point: the message may be out, as when no answer comes. */
function outcomeOf(error: unknown): 'refused' | 'unavailable' | 'unknown' {
  if (isMailscoutError(error, 'GATEWAY_REFUSED')) return 'refused'
  if (isMailscoutError(error, 'GATEWAY_UNAVAILABLE')) return 'unavailable'
  return 'unknown'
}

/** The order for a repeat: the gateway that left us in doubt comes last, because it is the least likely to answer now. */
export const unknownLast = (gateways: readonly Gateway[], name: string): Gateway[] => [
  ...gateways.filter((gateway) => gateway.name !== name),
  ...gateways.filter((gateway) => gateway.name === name),
]

/** The order for the next try: each turn begins with the gateway after the one before it. */
export function inTurn(gateways: readonly Gateway[], turn: number): Gateway[] {
  const first = turn % Math.max(1, gateways.length)
  return [...gateways.slice(first), ...gateways.slice(0, first)]
}
