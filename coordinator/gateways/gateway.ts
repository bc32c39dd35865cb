/** The way out to phones: what every kind of gateway offers, and how its failures are told apart. */

export type Sms = {
  /** E.164, `+61…`. */
  to: string
  text: string
  /** Ours, the same for every attempt at one message: lets a provider that knows such a thing recognise a repeat. */
  reference: string
}

export type Acceptance = {
  /** The provider's name for the message, where it gave one. */
  providerId?: string
}

/**
 * `send` resolves when the gateway has accepted the message (which is not yet delivery), and else throws a MailscoutError:
 *
 * - GATEWAY_REFUSED: it said no and would say so again (bad number, wrong password).
 * - GATEWAY_UNAVAILABLE: it surely has not taken the message, and may later (not reached, busy, broken).
 * - GATEWAY_OUTCOME_UNKNOWN: the request went out and no answer came; the message may be on its way.
 */
export type Gateway = {
  readonly name: string
  readonly kind: string
  send(sms: Sms & { signal?: AbortSignal }): Promise<Acceptance>
}
