/** One suite for both stores: PostgreSQL, and the one in memory that the simulator has in its place. */
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import type { Transaction } from '../../coordinator/flow/store.ts'
import type { NewPage } from '../../coordinator/store/outbox.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { type Ground, memoryGround, postgresGround } from './store-grounds.ts'
import { newId } from './watched-monitor.ts'

/** Two coordinators. */
export const [alive, other] = [newId(), newId()]
export const leaseMs = 120_000
export const cause = { outcome: 'timeout' as const, place: null, text: 'mail accepted, not back in 10 min' }

/** A monitor, its incidents and pages, on ground that is new for each test. */
export type Stage = ReturnType<typeof stageOn>

export function onBothStores(tests: (stage: Stage) => void): void {
  let own: TestDatabase
  beforeAll(async () => {
    own = await freshDatabase()
  })
  afterAll(() => own?.drop())

  describe.each([
    ['PostgreSQL', () => postgresGround(own)],
    ['memory', memoryGround],
  ])('the store on %s', (_name, make) => {
    let ground: Ground
    beforeEach(async () => {
      ground = await make()
    })
    tests(stageOn(() => ground))
  })
}

function stageOn(groundNow: () => Ground) {
  const within = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => groundNow().store.transaction(work)

  const open = async (kind: 'down' | 'unconfirmed' = 'down', agoMs = 0): Promise<string> => {
    const id = newId()
    const nowMs = (await groundNow().nowMs()) - agoMs
    const times = { since_at: nowMs - 60_000, last_good_at: null, opened_at: nowMs }
    await within((tx) =>
      tx.insertIncident({
        ...groundNow().monitor,
        id,
        code: newId().slice(-4),
        kind,
        ...times,
        flapping: false,
        cause,
        vantages: [],
      }),
    )
    return id
  }
  const pageOf = async (incident_id: string, changes: Partial<NewPage> = {}): Promise<NewPage> => ({
    ...{ id: newId(), customer_id: groundNow().monitor.customer_id, incident_id, kind: 'down', step: 0, round: 0 },
    ...{ recipient: groundNow().methodId, contact_method_id: groundNow().methodId, address: '+61400000001', text: 'DOWN' },
    due_at: await groundNow().nowMs(),
    ...changes,
  })
  const addPage = async (incidentId: string, changes: Partial<NewPage> = {}) => {
    const page = await pageOf(incidentId, changes)
    return within((tx) => tx.insertPage(page))
  }
  const claim = (coordinatorId = alive, inHand: string[] = []) =>
    within((tx) => tx.claimDuePages(coordinatorId, 1, leaseMs, inHand))
  const customerId = () => groundNow().monitor.customer_id

  /** Runs `work` in a transaction that stays open; the returned function ends it. */
  const holding = async <T>(work: (tx: Transaction) => Promise<T>) => {
    const [done, goOn] = [Promise.withResolvers<T>(), Promise.withResolvers<void>()]
    const ended = within(async (tx) => {
      done.resolve(await work(tx))
      await goOn.promise
    })
    const value = await done.promise
    return {
      value,
      end: async () => {
        goOn.resolve()
        await ended
      },
    }
  }

  return {
    get ground(): Ground {
      return groundNow()
    },
    ...{ within, open, pageOf, addPage, claim, customerId, holding },
  }
}
