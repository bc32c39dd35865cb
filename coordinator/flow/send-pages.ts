/**
 * Sending due pages through the gateways, in order, with failover. A page is claimed, sent, and recorded; a crash in between leaves a
 * claim whose holder is gone, and the page goes out once more, marked "(repeat)": a doubled page beats silence.
 */
import type { Runtime } from '../../common/runtime.ts'
import { markRepeat } from '../core/sms-text.ts'
import { type Delivery, inTurn, sendThrough, unknownLast } from '../gateways/failover.ts'
import type { Gateway } from '../gateways/gateway.ts'
import type { ClaimedPage } from '../store/outbox.ts'
import type { FlowContext } from './context.ts'
import { logIncidentEvent } from './page.ts'
import type { Transaction } from './store.ts'

export type SendContext = FlowContext & { gateways: readonly Gateway[]; outgoing: Outgoing }

/** What this process is sending. Claims are made one at a time: what another lane has just claimed would look like a lost one. */
export class Outgoing {
  readonly #inHand = new Set<string>()
  #claiming: Promise<unknown> = Promise.resolve()

  /** Claims by `claim`, which is given the pages in hand; what it returns is in hand until `letGo`. */
  take(claim: (inHand: string[]) => Promise<ClaimedPage | undefined>): Promise<ClaimedPage | undefined> {
    const taken = this.#claiming.then(async () => {
      const page = await claim([...this.#inHand])
      if (page !== undefined) this.#inHand.add(page.id)
      return page
    })
    this.#claiming = taken.catch(() => {})
    return taken
  }

  letGo(page: ClaimedPage): void {
    this.#inHand.delete(page.id)
  }
}

/** Longer than all gateways' time-outs in a row: who holds a claim so long is not coming back. */
const leaseMs = 120_000
const firstRetryMs = 2_000
const retryMsMax = 60_000
/** After so many attempts (about two hours) what nobody waits for is news no more. */
const attemptsMax = 130
/** Where each repeat may reach the phone too, every pause is twice the one before it: eight attempts in half an hour, then one an hour. */
const firstDoubtMs = 15_000
const doubtMsMax = 3_600_000
/** After so many what nobody waits for has been said often enough. */
const doubtsMax = 8

/** Sends one due page; false where none is due. */
export async function sendNextPage(context: SendContext): Promise<boolean> {
  const { store, outgoing, coordinatorId } = context
  const page = await outgoing.take(async (inHand) => {
    const [claimed] = await store.transaction((tx) => tx.claimDuePages(coordinatorId, 1, leaseMs, inHand))
    return claimed
  })
  if (page === undefined) return false
  try {
    await deliver(context, page)
  } finally {
    outgoing.letGo(page)
  }
  return true
}

async function deliver(context: SendContext, page: ClaimedPage): Promise<void> {
  const { runtime, gateways } = context
  if (page.outdated) {
    return await record(context, page, 'page_cancelled', {}, (tx) => tx.cancelPage(page, context.coordinatorId))
  }
  // In doubt, another gateway is the first each time: one that swallows must not stand before one that accepts.
  const first = await attempt(runtime, inTurn(gateways, page.doubts), page, page.doubts > 0)
  // A gateway that fell silent may have it. None can be asked, so it is sent once more, that gateway last; and so again where the next
  // attempt is far off, or never comes.
  const repeats = first.outcome === 'unknown' && (page.doubts === 0 || isDoubtfulForLong(page))
  const delivery = repeats ? await attempt(runtime, unknownLast(gateways, first.gateway), page, true) : first
  const attempts = first === delivery ? delivery.attempts : [...first.attempts, ...delivery.attempts]
  const repeated = page.doubts > 0 || first !== delivery
  if (delivery.outcome === 'accepted') {
    return await record(context, page, 'page_accepted', { gateway: delivery.gateway, attempts }, (tx) =>
      tx.acceptPage(page, context.coordinatorId, {
        gateway: delivery.gateway,
        providerId: delivery.providerId ?? null,
        text: textOf(page, repeated),
      }),
    )
  }
  const error = attempts
    .map((tried) => `${tried.gateway}: ${tried.error ?? tried.outcome}`)
    .join('; ')
    .slice(0, 1000)
  const final = isGivenUp(page, delivery)
  const inDoubt = first.outcome === 'unknown' || delivery.outcome === 'unknown'
  context.logger.error({ page: page.id, incident: page.incident_id, attempts, final }, 'no gateway has taken a page')
  await record(context, page, final ? 'page_failed' : null, { attempts }, (tx) =>
    final
      ? tx.failPage(page, context.coordinatorId, error)
      : tx.postponePage(page, context.coordinatorId, { delayMs: pauseMs(page, delivery), error, inDoubt }),
  )
}

const isDoubtfulForLong = ({ doubts }: ClaimedPage): boolean => doubts + 1 >= doubtsMax

function isGivenUp(page: ClaimedPage, delivery: Delivery): boolean {
  if (delivery.outcome === 'failed' && !delivery.temporary) return true
  if (page.awaited) return false
  return delivery.outcome === 'unknown' ? isDoubtfulForLong(page) : page.attempts >= attemptsMax
}

const pauseMs = (page: ClaimedPage, delivery: Delivery): number =>
  delivery.outcome === 'unknown'
    ? Math.min(firstDoubtMs * 2 ** page.doubts, doubtMsMax)
    : Math.min(firstRetryMs * 2 ** (page.attempts - 1), retryMsMax)

const textOf = (page: ClaimedPage, repeated: boolean): string => (repeated ? markRepeat(page.text) : page.text)

const attempt = (runtime: Runtime, gateways: readonly Gateway[], page: ClaimedPage, repeated: boolean) =>
  sendThrough(gateways, { to: page.address, text: textOf(page, repeated), reference: page.id }, { runtime })

async function record(
  context: SendContext,
  page: ClaimedPage,
  event: 'page_accepted' | 'page_failed' | 'page_cancelled' | null,
  detail: Record<string, unknown>,
  write: (tx: Transaction) => Promise<unknown>,
): Promise<void> {
  await context.store.transaction(async (tx) => {
    await write(tx)
    const incident = { customer_id: page.customer_id, id: page.incident_id }
    if (event !== null) {
      await logIncidentEvent(context, tx, incident, await tx.nowMs(), event, {
        page_id: page.id,
        kind: page.kind,
        to: page.address,
        ...detail,
      })
    }
    await tx.announce('live', { kind: 'page', customer_id: page.customer_id, id: page.id })
  })
}
