/**
 * What judging, escalating and paging rely on in their store, held by PostgreSQL and by the store in memory alike: what the simulator
 * shows on the one is shown for the other as far as this suite goes.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Transaction } from '../../coordinator/flow/store.ts'
import type { NewPage } from '../../coordinator/store/outbox.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { type Ground, memoryGround, postgresGround } from '../support/store-grounds.ts'
import { newId } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

const cause = { outcome: 'timeout' as const, place: null, text: 'mail accepted, not back in 10 min' }
const [alive, other] = [newId(), newId()]
const leaseMs = 120_000

describe.each([
  ['PostgreSQL', () => postgresGround(own)],
  ['memory', memoryGround],
])('the store on %s', (_name, make) => {
  let ground: Ground
  beforeEach(async () => {
    ground = await make()
  })
  const within = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => ground.store.transaction(work)

  const open = async (kind: 'down' | 'unconfirmed' = 'down'): Promise<string> => {
    const id = newId()
    const nowMs = await ground.nowMs()
    const times = { since_at: nowMs - 60_000, last_good_at: null, opened_at: nowMs }
    await within((tx) =>
      tx.insertIncident({ ...ground.monitor, id, code: newId().slice(-4), kind, ...times, flapping: false, cause, vantages: [] }),
    )
    return id
  }
  const pageOf = async (incident_id: string, changes: Partial<NewPage> = {}): Promise<NewPage> => ({
    ...{ id: newId(), customer_id: ground.monitor.customer_id, incident_id, kind: 'down', step: 0, round: 0 },
    ...{ recipient: ground.methodId, contact_method_id: ground.methodId, address: '+61400000001', text: 'DOWN' },
    due_at: await ground.nowMs(),
    ...changes,
  })
  const addPage = async (incidentId: string, changes: Partial<NewPage> = {}) => {
    const page = await pageOf(incidentId, changes)
    return within((tx) => tx.insertPage(page))
  }
  const claim = (coordinatorId = alive, inHand: string[] = []) =>
    within((tx) => tx.claimDuePages(coordinatorId, 1, leaseMs, inHand))
  const customerId = () => ground.monitor.customer_id

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

  describe('a transaction', () => {
    test('that throws leaves nothing behind', async () => {
      const id = newId()
      const nowMs = await ground.nowMs()
      const page = await pageOf(id)
      const failing = within(async (tx) => {
        const times = { since_at: nowMs, last_good_at: null, opened_at: nowMs }
        const incident = { ...ground.monitor, id, code: 'ROLL', kind: 'down' as const, ...times, flapping: false, cause }
        await tx.insertIncident({ ...incident, vantages: [] })
        await tx.insertPage(page)
        const event = { id: newId(), customer_id: customerId(), incident_id: id, at_ms: nowMs, detail: {} }
        await tx.insertIncidentEvent({ ...event, type: 'opened' })
        await tx
          .insertJob({ ...ground.monitor, id: newId(), probe_id: newId(), cause: 'confirm', expires_in_ms: 1000 })
          .catch(() => {})
        throw new Error('in the middle')
      })
      await expect(failing).rejects.toThrow()
      expect([await ground.incidents(), await ground.pages(), await ground.events(), await ground.jobs()]).toEqual([
        [],
        [],
        [],
        [],
      ])
      expect(await within((tx) => tx.codeIsFree('ROLL'))).toBe(true)
    })

    test('sees what it wrote; others see it once it is committed', async () => {
      const id = await open()
      const writing = await holding(async (tx) => {
        await tx.closeIncident(customerId(), id, await tx.nowMs())
        return (await tx.readIncident(customerId(), id))?.resolved_at
      })
      expect(writing.value).toEqual(expect.any(Number))
      expect((await within((tx) => tx.readIncident(customerId(), id)))?.resolved_at).toBeNull()
      await writing.end()
      expect((await within((tx) => tx.readIncident(customerId(), id)))?.resolved_at).toEqual(expect.any(Number))
    })
  })

  describe('judging', () => {
    test('a marked monitor is claimed once: who comes meanwhile finds nothing due', async () => {
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await ground.mark()
      const first = await holding((tx) => tx.claimDueMonitor())
      expect(first.value).toMatchObject({ ...ground.monitor, incident_id: null, name: 'Mail of Example' })
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await first.end()
      expect(await within((tx) => tx.claimDueMonitor())).not.toBeNull()
    })

    test('a mark that comes while it is judged is not lost: it is judged again', async () => {
      await ground.mark()
      const judging = await holding(async (tx) => {
        const monitor = await tx.claimDueMonitor()
        if (monitor === null) throw new Error('not due')
        const saved = { incidentId: null, quiet: true, awaitingProof: [], judgeAtMs: null }
        await tx.saveJudgement(monitor, { state: monitor.state, ...saved })
      })
      const marking = ground.mark()
      await judging.end()
      await marking
      expect(await within((tx) => tx.claimDueMonitor())).not.toBeNull()
    })

    test('what is saved is what is read, and when it is due', async () => {
      await ground.mark()
      const incidentId = await open()
      const probeId = newId()
      const dueMs = (await ground.nowMs()) + 90_000
      await within(async (tx) => {
        const monitor = await tx.claimDueMonitor()
        if (monitor === null) throw new Error('not due')
        const state = { ...monitor.state, decision: 'down' as const, reason: 'quorum_fails' as const }
        await tx.saveJudgement(monitor, { state, incidentId, quiet: false, awaitingProof: [probeId], judgeAtMs: dueMs })
      })
      expect(await ground.state()).toMatchObject({ quiet: false, awaiting_proof: [probeId], judge_at: dueMs })
      expect((await ground.due()).judgement).toBe(dueMs)
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await ground.passTime(90)
      expect(await within((tx) => tx.claimDueMonitor())).toMatchObject({ incident_id: incidentId, state: { decision: 'down' } })
    })

    test('one that fails is put off', async () => {
      await ground.mark()
      await within(async (tx) => {
        const monitor = await tx.claimDueMonitor()
        if (monitor !== null) await tx.postponeJudgement(monitor, 60_000)
      })
      await ground.passTime(59)
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await ground.passTime(1)
      expect(await within((tx) => tx.claimDueMonitor())).not.toBeNull()
    })

    test('somebody was there to receive results since the oldest beginning of those who are heard', async () => {
      const since = () =>
        within(async (tx) => {
          const monitor = await tx.lockMonitor(customerId(), ground.monitor.monitor_id)
          if (monitor === null) throw new Error('no monitor')
          return (await ground.nowMs()) - (await tx.loadEvidence(monitor)).observing_since_ms
        })
      /** On a busy machine the database's own clock goes on between two statements. */
      const expectSince = async (seconds: number) => {
        const ms = await since()
        expect(ms).toBeGreaterThanOrEqual(seconds * 1000 - 10)
        expect(ms).toBeLessThan((seconds + 4) * 1000)
      }
      await expectSince(0)
      await ground.beat(alive)
      await ground.passTime(8)
      await ground.beat(alive)
      await ground.beat(other)
      await expectSince(8)
      await ground.passTime(9)
      await ground.beat(other)
      await expectSince(17)
      await ground.passTime(9)
      await expectSince(18)
      await ground.passTime(2)
      await ground.beat(alive)
      await expectSince(0)
    })
  })

  describe('an incident', () => {
    test('is one per monitor, and its code is taken while it is open', async () => {
      await open()
      await expect(open()).rejects.toThrow()
      const [{ code, id } = {}] = await ground.incidents()
      expect(await within((tx) => tx.codeIsFree(String(code)))).toBe(false)
      expect(await within(async (tx) => tx.closeIncident(customerId(), String(id), await tx.nowMs()))).toBe(true)
      expect(await within(async (tx) => tx.closeIncident(customerId(), String(id), await tx.nowMs()))).toBe(false)
      expect(await within((tx) => tx.codeIsFree(String(code)))).toBe(true)
      await open()
    })

    test('steps are due at their time, claimed by one, and gone with its end', async () => {
      const id = await open()
      const due_ms = (await ground.nowMs()) + 300_000
      await within((tx) => tx.setNextStep(customerId(), id, { step: 1, round: 2, due_ms }))
      expect((await ground.due()).step).toBe(due_ms)
      await ground.passTime(299)
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      await ground.passTime(1)
      const first = await holding((tx) => tx.claimDueStep())
      expect(first.value).toMatchObject({ id, next_step: 1, next_round: 2, held: false })
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      await first.end()
      await within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      expect((await ground.due()).step).toBeNull()
    })

    test('that ends while a step is taken ends after it', async () => {
      const id = await open()
      const due_ms = await ground.nowMs()
      await within((tx) => tx.setNextStep(customerId(), id, { step: 0, round: 0, due_ms }))
      const taking = await holding(async (tx) => {
        await tx.claimDueStep()
        await tx.setNextStep(customerId(), id, { step: 1, round: 0, due_ms: due_ms + 1000 })
      })
      const closing = within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      await taking.end()
      expect(await closing).toBe(true)
      expect(await ground.incidents()).toMatchObject([{ id, next_step: null, next_step_at: null }])
    })

    test('is acknowledged once, which ends its steps; a confirmation undoes it', async () => {
      const id = await open('unconfirmed')
      const due_ms = await ground.nowMs()
      await within((tx) => tx.setNextStep(customerId(), id, { step: 0, round: 0, due_ms }))
      const acknowledge = () => within((tx) => tx.acknowledgeIncident({ customer_id: customerId(), id }, 'Alice'))
      expect([await acknowledge(), await acknowledge()]).toEqual([true, false])
      expect(await ground.incidents()).toMatchObject([{ acknowledged_by: 'Alice', next_step_at: null }])
      const confirmed = { customer_id: customerId(), id, since_at: due_ms - 5000, flapping: true, cause, vantages: [] }
      await within((tx) => tx.confirmIncident(confirmed))
      expect(await ground.incidents()).toMatchObject([
        { kind: 'down', acknowledged_at: null, acknowledged_by: null, since_at: due_ms - 5000, flapping: true },
      ])
    })

    test('in maintenance is held, and looked at when it ends', async () => {
      const id = await open()
      const windows = () => within((tx) => tx.holdWindowsOfMonitor(customerId(), ground.monitor.monitor_id))
      expect(await windows()).toEqual([])
      await ground.beginMaintenance()
      expect(await windows()).toMatchObject([{ schedule: { kind: 'once' }, valid_until_ms: null }])
      const untilMs = (await ground.nowMs()) + 3_600_000
      await within((tx) => tx.holdStep(customerId(), id, { step: 0, round: 0 }, untilMs))
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      expect((await ground.due()).step).toBe(untilMs)
      await ground.passTime(3600)
      expect(await within((tx) => tx.claimDueStep())).toMatchObject({ id, held: true, next_step: 0, next_round: 0 })
      await within((tx) => tx.setNextStep(customerId(), id, null))
      expect(await ground.incidents()).toMatchObject([{ held: false, next_step: null }])
    })
  })

  describe('the fleet', () => {
    const windowMs = 300_000
    const look = () => within((tx) => tx.lockFleet(windowMs))

    test('counts the mail domains whose outage was opened of late and is not over', async () => {
      const before = (await look()).fleet.failing
      await open('unconfirmed')
      expect((await look()).fleet.failing).toBe(before)
      const [{ id } = {}] = await ground.incidents()
      await within(async (tx) => tx.closeIncident(customerId(), String(id), await tx.nowMs()))
      const down = await open()
      expect((await look()).fleet.failing).toBe(before + 1)
      await within(async (tx) => tx.closeIncident(customerId(), down, await tx.nowMs()))
      expect((await look()).fleet.failing).toBe(before)
    })

    test('has one guard, which one transaction after the other sees', async () => {
      const guard = { since_ms: await ground.nowMs(), seen_ms: await ground.nowMs() }
      const saving = await holding(async (tx) => {
        await tx.lockFleet(windowMs)
        await tx.saveFleetGuard(guard)
      })
      const looking = look()
      await saving.end()
      expect((await looking).guard).toEqual(guard)
      await within((tx) => tx.saveFleetGuard({ since_ms: null, seen_ms: null }))
      expect((await look()).guard).toEqual({ since_ms: null, seen_ms: null })
    })
  })

  describe('a page', () => {
    test('is unique by incident, kind, step, round and recipient, also where two write it at once', async () => {
      const id = await open()
      expect([await addPage(id), await addPage(id), await addPage(id, { text: 'another text' })]).toEqual([true, false, false])
      expect(await addPage(id, { step: 1 })).toBe(true)
      expect(await addPage(id, { round: 1 })).toBe(true)
      expect(await addPage(id, { kind: 'resolved' })).toBe(true)
      expect(await addPage(id, { recipient: 'operator', contact_method_id: null })).toBe(true)
      const [mine, theirs] = [await pageOf(id, { step: 7 }), await pageOf(id, { step: 7 })]
      const writing = await holding((tx) => tx.insertPage(mine))
      const second = within((tx) => tx.insertPage(theirs))
      await writing.end()
      expect([writing.value, await second]).toEqual([true, false])
      expect(await ground.pages()).toHaveLength(6)
    })

    test('is claimed when it is due, by one, with a lease', async () => {
      const id = await open()
      await ground.beat(alive)
      await addPage(id, { due_at: (await ground.nowMs()) + 10_000 })
      expect(await claim()).toEqual([])
      await ground.passTime(10)
      await ground.beat(alive)
      const first = await holding((tx) => tx.claimDuePages(alive, 1, leaseMs, []))
      expect(first.value).toMatchObject([{ incident_id: id, attempts: 1, outcome_unknown: false, outdated: false }])
      expect(await claim(other)).toEqual([])
      await first.end()
      expect(await claim(other)).toEqual([])
      expect(Math.round(((await ground.due()).page ?? 0) / 1000)).toBe(Math.round(((await ground.nowMs()) + leaseMs) / 1000))
      await ground.passTime(121)
      await ground.beat(alive)
      expect(await claim(other)).toMatchObject([{ attempts: 2, outcome_unknown: true }])
    })

    test('whose sender is gone is claimed by another after five seconds, in doubt, and by itself not before its lease ends', async () => {
      const id = await open()
      await ground.beat(alive)
      await addPage(id)
      const inHand = (await claim()).map((page) => page.id)
      await ground.passTime(4)
      expect(await claim(other)).toEqual([])
      await ground.passTime(1)
      expect(await claim(alive, inHand)).toEqual([])
      expect(await claim(other)).toMatchObject([{ attempts: 2, outcome_unknown: true }])
    })

    test('that its sender claimed and does not hold is claimed by it again, in doubt', async () => {
      const id = await open()
      await ground.beat(alive)
      await addPage(id)
      const inHand = (await claim()).map((page) => page.id)
      expect(await claim(alive, inHand)).toEqual([])
      expect(await claim(alive)).toMatchObject([{ attempts: 2, outcome_unknown: true }])
    })

    test('is settled by the holder of its claim and nobody else', async () => {
      const id = await open()
      await ground.beat(alive)
      await addPage(id)
      const [page] = await claim()
      if (page === undefined) throw new Error('nothing claimed')
      const accepted = { gateway: 'first', providerId: null, text: '(repeat) DOWN' }
      await within((tx) => tx.failPage(page, other, 'not mine'))
      await within((tx) => tx.cancelPage(page, other))
      await within((tx) => tx.postponePage(page, other, { delayMs: 0, error: 'not mine', outcomeUnknown: true }))
      expect(await within((tx) => tx.acceptPage(page, other, accepted))).toBe(false)
      expect(await ground.pages()).toMatchObject([{ state: 'sending', claimed_by: alive, outcome_unknown: false }])
      expect(await within((tx) => tx.acceptPage(page, alive, accepted))).toBe(true)
      expect(await within((tx) => tx.acceptPage(page, alive, accepted))).toBe(false)
      expect(await ground.pages()).toMatchObject([
        { state: 'accepted', gateway: 'first', text: '(repeat) DOWN', claimed_by: null },
      ])
      expect((await ground.due()).page).toBeNull()
    })

    test('that is put off comes again, and keeps its doubt', async () => {
      const id = await open()
      await ground.beat(alive)
      await addPage(id)
      for (const outcomeUnknown of [true, false]) {
        const [page] = await claim()
        if (page === undefined) throw new Error('nothing claimed')
        await within((tx) => tx.postponePage(page, alive, { delayMs: 15_000, error: 'busy', outcomeUnknown }))
        expect(await ground.pages()).toMatchObject([{ state: 'pending', last_error: 'busy', outcome_unknown: true }])
        expect(await claim()).toEqual([])
        await ground.passTime(15)
      }
      expect(await claim()).toMatchObject([{ attempts: 3, outcome_unknown: true }])
    })

    test('of an incident that ends is cancelled where nobody sends it, and known as outdated where somebody does', async () => {
      const id = await open()
      await ground.beat(alive)
      await addPage(id)
      const [sending] = await claim()
      await addPage(id, { step: 1 })
      const cancelled = await within(async (tx) => {
        await tx.closeIncident(customerId(), id, await tx.nowMs())
        return await tx.cancelPendingPages(customerId(), id)
      })
      expect(cancelled).toHaveLength(1)
      expect((await ground.pages()).map(({ state }) => state).sort()).toEqual(['cancelled', 'sending'])
      if (sending === undefined) throw new Error('nothing claimed')
      await within((tx) => tx.postponePage(sending, alive, { delayMs: 0, error: 'busy', outcomeUnknown: false }))
      await addPage(id, { kind: 'resolved' })
      const first = await claim()
      const claims = [
        ...first,
        ...(await claim(
          alive,
          first.map((page) => page.id),
        )),
      ]
      expect(claims.map(({ kind, outdated }) => [kind, outdated]).sort()).toEqual([
        ['down', true],
        ['resolved', false],
      ])
    })

    test('informs whom a gateway took it for, or may have', async () => {
      const id = await open()
      await ground.beat(alive)
      const informed = async () =>
        (await within((tx) => tx.readInformed(customerId(), id, 'down'))).map(({ recipient }) => recipient)
      await addPage(id, { recipient: 'b', due_at: (await ground.nowMs()) - 1000 })
      expect(await informed()).toEqual([])
      const [first] = await claim()
      expect(await informed()).toEqual(['b'])
      if (first === undefined) throw new Error('nothing claimed')
      await within((tx) => tx.postponePage(first, alive, { delayMs: 60_000, error: 'no answer', outcomeUnknown: true }))
      expect(await informed()).toEqual(['b'])
      await addPage(id, { recipient: 'a', kind: 'unconfirmed' })
      await addPage(id, { recipient: 'c' })
      for (const page of [...(await claim()), ...(await claim())])
        await within((tx) => tx.acceptPage(page, alive, { gateway: 'first', providerId: null, text: page.text }))
      await addPage(id, { recipient: 'c', step: 1 })
      await addPage(id, { recipient: 'd' })
      for (const page of [...(await claim()), ...(await claim())])
        await within((tx) => tx.failPage(page, alive, 'no such number'))
      expect(await informed()).toEqual(['b', 'c'])
    })
  })

  test('recipients of a step are those of its contacts', async () => {
    const named = (contactIds: string[]) => within((tx) => tx.readRecipients(customerId(), contactIds))
    expect(await named([ground.contactId])).toEqual([
      { contact_method_id: ground.methodId, address: '+61400000001', contact_name: 'Alice' },
    ])
    expect(await named([newId()])).toEqual([])
    const policy = await within((tx) => tx.readMonitorPolicy(customerId(), ground.monitor.monitor_id))
    expect(policy).toEqual({ steps: [{ after_s: 0, contact_ids: [ground.contactId] }], repeat: 0 })
  })
})
