/**
 * What judging, escalating and paging rely on in their store, held by PostgreSQL and by the store in memory alike: what the simulator
 * shows on the one is shown for the other as far as this suite goes.
 */
import { describe, expect, test } from 'vitest'
import { alive, cause, onBothStores, other } from '../support/both-stores.ts'
import { newId } from '../support/watched-monitor.ts'

onBothStores((stage) => {
  const { within, open, pageOf, customerId, holding } = stage

  describe('a transaction', () => {
    test('that throws leaves nothing behind', async () => {
      const id = newId()
      const nowMs = await stage.ground.nowMs()
      const page = await pageOf(id)
      const failing = within(async (tx) => {
        const times = { since_at: nowMs, last_good_at: null, opened_at: nowMs }
        const incident = { ...stage.ground.monitor, id, code: 'ROLL', kind: 'down' as const, ...times, flapping: false, cause }
        await tx.insertIncident({ ...incident, vantages: [] })
        await tx.insertPage(page)
        const event = { id: newId(), customer_id: customerId(), incident_id: id, at_ms: nowMs, detail: {} }
        await tx.insertIncidentEvent({ ...event, type: 'opened' })
        await tx
          .insertJob({ ...stage.ground.monitor, id: newId(), probe_id: newId(), cause: 'confirm', expires_in_ms: 1000 })
          .catch(() => {})
        throw new Error('in the middle')
      })
      await expect(failing).rejects.toThrow()
      expect([
        await stage.ground.incidents(),
        await stage.ground.pages(),
        await stage.ground.events(),
        await stage.ground.jobs(),
      ]).toEqual([[], [], [], []])
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
      await stage.ground.mark()
      const first = await holding((tx) => tx.claimDueMonitor())
      expect(first.value).toMatchObject({ ...stage.ground.monitor, incident_id: null, name: 'Mail of Example' })
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await first.end()
      expect(await within((tx) => tx.claimDueMonitor())).not.toBeNull()
    })

    test('a mark that comes while it is judged is not lost: it is judged again', async () => {
      await stage.ground.mark()
      const judging = await holding(async (tx) => {
        const monitor = await tx.claimDueMonitor()
        if (monitor === null) throw new Error('not due')
        const saved = { incidentId: null, quiet: true, awaitingProof: [], judgeAtMs: null }
        await tx.saveJudgement(monitor, { state: monitor.state, ...saved })
      })
      const marking = stage.ground.mark()
      await judging.end()
      await marking
      expect(await within((tx) => tx.claimDueMonitor())).not.toBeNull()
    })

    test('what is saved is what is read, and when it is due', async () => {
      await stage.ground.mark()
      const incidentId = await open()
      const probeId = newId()
      const dueMs = (await stage.ground.nowMs()) + 90_000
      await within(async (tx) => {
        const monitor = await tx.claimDueMonitor()
        if (monitor === null) throw new Error('not due')
        const state = { ...monitor.state, decision: 'down' as const, reason: 'quorum_fails' as const }
        await tx.saveJudgement(monitor, { state, incidentId, quiet: false, awaitingProof: [probeId], judgeAtMs: dueMs })
      })
      expect(await stage.ground.state()).toMatchObject({ quiet: false, awaiting_proof: [probeId], judge_at: dueMs })
      expect((await stage.ground.due()).judgement).toBe(dueMs)
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await stage.ground.passTime(90)
      expect(await within((tx) => tx.claimDueMonitor())).toMatchObject({ incident_id: incidentId, state: { decision: 'down' } })
    })

    test('one that fails is put off', async () => {
      await stage.ground.mark()
      await within(async (tx) => {
        const monitor = await tx.claimDueMonitor()
        if (monitor !== null) await tx.postponeJudgement(monitor, 60_000)
      })
      await stage.ground.passTime(59)
      expect(await within((tx) => tx.claimDueMonitor())).toBeNull()
      await stage.ground.passTime(1)
      expect(await within((tx) => tx.claimDueMonitor())).not.toBeNull()
    })

    test('somebody was there to receive results since the oldest beginning of those who are heard', async () => {
      const since = () =>
        within(async (tx) => {
          const monitor = await tx.lockMonitor(customerId(), stage.ground.monitor.monitor_id)
          if (monitor === null) throw new Error('no monitor')
          return (await stage.ground.nowMs()) - (await tx.loadEvidence(monitor)).observing_since_ms
        })
      /** On a busy machine the database's own clock goes on between two statements. */
      const expectSince = async (seconds: number) => {
        const ms = await since()
        expect(ms).toBeGreaterThanOrEqual(seconds * 1000 - 10)
        expect(ms).toBeLessThan((seconds + 4) * 1000)
      }
      await expectSince(0)
      await stage.ground.beat(alive)
      await stage.ground.passTime(8)
      await stage.ground.beat(alive)
      await stage.ground.beat(other)
      await expectSince(8)
      await stage.ground.passTime(9)
      await stage.ground.beat(other)
      await expectSince(17)
      await stage.ground.passTime(9)
      await expectSince(18)
      await stage.ground.passTime(2)
      await stage.ground.beat(alive)
      await expectSince(0)
    })
  })

  describe('an incident', () => {
    test('is one per monitor, and its code is taken while it is open', async () => {
      await open()
      await expect(open()).rejects.toThrow()
      const [{ code, id } = {}] = await stage.ground.incidents()
      expect(await within((tx) => tx.codeIsFree(String(code)))).toBe(false)
      expect(await within(async (tx) => tx.closeIncident(customerId(), String(id), await tx.nowMs()))).toBe(true)
      expect(await within(async (tx) => tx.closeIncident(customerId(), String(id), await tx.nowMs()))).toBe(false)
      expect(await within((tx) => tx.codeIsFree(String(code)))).toBe(true)
      await open()
    })

    test('steps are due at their time, claimed by one, and gone with its end', async () => {
      const id = await open()
      const due_ms = (await stage.ground.nowMs()) + 300_000
      await within((tx) => tx.setNextStep(customerId(), id, { step: 1, round: 2, due_ms }))
      expect((await stage.ground.due()).step).toBe(due_ms)
      await stage.ground.passTime(299)
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      await stage.ground.passTime(1)
      const first = await holding((tx) => tx.claimDueStep())
      expect(first.value).toMatchObject({ id, next_step: 1, next_round: 2, held: false })
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      await first.end()
      await within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      expect((await stage.ground.due()).step).toBeNull()
    })

    test('that ends while a step is taken ends after it', async () => {
      const id = await open()
      const due_ms = await stage.ground.nowMs()
      await within((tx) => tx.setNextStep(customerId(), id, { step: 0, round: 0, due_ms }))
      const taking = await holding(async (tx) => {
        await tx.claimDueStep()
        await tx.setNextStep(customerId(), id, { step: 1, round: 0, due_ms: due_ms + 1000 })
      })
      const closing = within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      await taking.end()
      expect(await closing).toBe(true)
      expect(await stage.ground.incidents()).toMatchObject([{ id, next_step: null, next_step_at: null }])
    })

    test('has no step due while its mail is back, and the same step as soon as it fails again', async () => {
      const id = await open()
      const due_ms = await stage.ground.nowMs()
      await within((tx) => tx.setNextStep(customerId(), id, { step: 1, round: 0, due_ms }))
      const judged = (well_since_ms: number | null) =>
        within(async (tx) => {
          const monitor = await tx.lockMonitor(customerId(), stage.ground.monitor.monitor_id)
          if (monitor === null) throw new Error('no monitor')
          const times = { since_ms: due_ms, opened_ms: due_ms, asked_ms: due_ms, well_since_ms }
          const state = { ...monitor.state, incident: { kind: 'down' as const, flapping: true, ...times } }
          await tx.saveJudgement(monitor, { state, incidentId: id, quiet: false, awaitingProof: [], judgeAtMs: null })
        })
      await judged(due_ms)
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      expect((await stage.ground.due()).step).toBeNull()
      await judged(null)
      expect((await stage.ground.due()).step).toBe(due_ms)
      expect(await within((tx) => tx.claimDueStep())).toMatchObject({ id, next_step: 1, next_round: 0 })
    })

    test('is looked at when its policy changes: at once, or when what holds it ends, and not where somebody looks after it', async () => {
      const amend = () => within((tx) => tx.amendPaging(customerId(), [stage.ground.monitor.monitor_id]))
      const close = (id: string) => within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      const over = await open()
      await amend()
      expect(await within((tx) => tx.claimDueStep())).toMatchObject({ id: over, amended: true, next_step: null })
      await within((tx) => tx.setNextStep(customerId(), over, null))
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      const untilMs = (await stage.ground.nowMs()) + 60_000
      await within((tx) => tx.holdStep(customerId(), over, { step: 0, round: 0 }, untilMs))
      await amend()
      expect((await stage.ground.due()).step).toBe(untilMs)
      await stage.ground.passTime(60)
      expect(await within((tx) => tx.claimDueStep())).toMatchObject({ held: true, amended: true })
      await within((tx) => tx.acknowledgeIncident({ customer_id: customerId(), id: over }, 'Ann'))
      await amend()
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      await close(over)
      await open('unconfirmed')
      await amend()
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
    })

    test('is acknowledged once, which ends its steps; a confirmation undoes it, and may be of a series until that is over', async () => {
      const id = await open('unconfirmed')
      const due_ms = await stage.ground.nowMs()
      await within((tx) => tx.setNextStep(customerId(), id, { step: 0, round: 0, due_ms }))
      const acknowledge = () => within((tx) => tx.acknowledgeIncident({ customer_id: customerId(), id }, 'Alice'))
      expect([await acknowledge(), await acknowledge()]).toEqual([true, false])
      expect(await stage.ground.incidents()).toMatchObject([{ acknowledged_by: 'Alice', next_step_at: null }])
      const times = { since_at: due_ms - 5000, last_good_at: due_ms - 9000 }
      const confirmed = { customer_id: customerId(), id, ...times, flapping: true, cause, vantages: [] }
      await within((tx) => tx.confirmIncident(confirmed))
      expect(await stage.ground.incidents()).toMatchObject([
        { kind: 'down', acknowledged_at: null, acknowledged_by: null, since_at: due_ms - 5000, flapping: true },
      ])
      expect(await stage.ground.incidents()).toMatchObject([times])
      await within((tx) => tx.endIncidentSeries(customerId(), id))
      expect(await stage.ground.incidents()).toMatchObject([{ kind: 'down', flapping: false }])
    })

    test.each([
      { what: 'keeps the good test that was known as it opened where none is known as it is confirmed', agoMs: 9000, kept: true },
      { what: 'does not keep one that was sent after the failing test with which the outage is now known to begin', agoMs: 500 },
      { what: 'nor one that was sent with it', agoMs: 1000 },
    ])('$what', async ({ agoMs, kept = false }) => {
      const nowMs = await stage.ground.nowMs()
      const id = newId()
      const opened = { since_at: nowMs, last_good_at: nowMs - agoMs, opened_at: nowMs }
      const said = { flapping: false, cause, vantages: [] }
      await within((tx) =>
        tx.insertIncident({ ...stage.ground.monitor, id, code: 'K7QX', kind: 'unconfirmed', ...opened, ...said }),
      )
      const confirmed = { customer_id: customerId(), id, since_at: nowMs - 1000, last_good_at: null, ...said }
      await within((tx) => tx.confirmIncident(confirmed))
      const last_good_at = kept ? nowMs - agoMs : null
      expect(await stage.ground.incidents()).toMatchObject([{ kind: 'down', since_at: nowMs - 1000, last_good_at }])
    })

    test('knows which of its mails are back late until its log has them, and may be given another cause', async () => {
      const [testId, probeId, nowMs] = [newId(), newId(), await stage.ground.nowMs()]
      const vote = {
        probe_id: probeId,
        region: 'eu',
        vote: 'fail',
        reason: 'failed',
        outcome: 'timeout',
        test_id: testId,
      } as const
      const id = newId()
      const times = { since_at: nowMs - 60_000, last_good_at: null, opened_at: nowMs }
      const incident = { ...stage.ground.monitor, id, code: 'LATE', kind: 'down' as const, ...times, flapping: false, cause }
      await within((tx) => tx.insertIncident({ ...incident, vantages: [vote] }))
      const unlogged = () => within((tx) => tx.listUnloggedReturns(customerId(), id))
      await stage.ground.returnLate(newId(), probeId)
      expect(await unlogged()).toEqual([])
      await stage.ground.returnLate(testId, probeId)
      expect(await unlogged()).toMatchObject([
        { test_id: testId, probe_id: probeId, region: 'eu', rtt_ms: 900_000, stamp_at: null },
      ])
      const late = { ...cause, place: 'returned_late' as const }
      const seenWithin = await within(async (tx) => {
        const event = { id: newId(), customer_id: customerId(), incident_id: id, at_ms: nowMs, detail: { test_id: testId } }
        await tx.insertIncidentEvent({ ...event, type: 'returned_late' })
        await tx.setIncidentCause(customerId(), id, late)
        return tx.listUnloggedReturns(customerId(), id)
      })
      expect([seenWithin, await unlogged()]).toEqual([[], []])
      expect((await within((tx) => tx.readIncident(customerId(), id)))?.cause).toEqual(late)
    })

    test('in maintenance is held, and looked at when it ends', async () => {
      const id = await open()
      const windows = () => within((tx) => tx.holdWindowsOfMonitor(customerId(), stage.ground.monitor.monitor_id))
      expect(await windows()).toEqual([])
      await stage.ground.beginMaintenance()
      expect(await windows()).toMatchObject([{ schedule: { kind: 'once' }, valid_until_ms: null }])
      const history = async (fromMs: number, toMs: number) => {
        const nowMs = await stage.ground.nowMs()
        return within((tx) => tx.windowHistory(customerId(), stage.ground.monitor.monitor_id, nowMs + fromMs, nowMs + toMs))
      }
      expect(await history(0, 60_000)).toMatchObject([{ schedule: { kind: 'once' } }])
      expect([await history(3_700_000, 3_800_000), await history(-7_200_000, -3_700_000)]).toEqual([[], []])
      const untilMs = (await stage.ground.nowMs()) + 3_600_000
      await within((tx) => tx.holdStep(customerId(), id, { step: 0, round: 0 }, untilMs))
      expect(await within((tx) => tx.claimDueStep())).toBeNull()
      expect((await stage.ground.due()).step).toBe(untilMs)
      await stage.ground.passTime(3600)
      expect(await within((tx) => tx.claimDueStep())).toMatchObject({ id, held: true, next_step: 0, next_round: 0 })
      await within((tx) => tx.setNextStep(customerId(), id, null))
      expect(await stage.ground.incidents()).toMatchObject([{ held: false, next_step: null }])
    })
  })

  describe('the fleet', () => {
    const windowMs = 300_000
    const look = () => within((tx) => tx.lockFleet(windowMs))

    test('counts the mail domains whose outage was opened of late and is not over', async () => {
      const before = (await look()).fleet.failing
      await open('unconfirmed')
      expect((await look()).fleet.failing).toBe(before)
      const [{ id } = {}] = await stage.ground.incidents()
      await within(async (tx) => tx.closeIncident(customerId(), String(id), await tx.nowMs()))
      const down = await open()
      expect((await look()).fleet.failing).toBe(before + 1)
      await stage.ground.passTime(1)
      await within(async (tx) => tx.closeIncident(customerId(), down, await tx.nowMs()))
      expect((await look()).fleet.failing).toBe(before)
    })

    test('counts an outage from when it was decided, also where nobody could confirm it before', async () => {
      const before = (await look()).fleet.failing
      const old = await open('down', windowMs + 1000)
      expect((await look()).fleet.failing).toBe(before)
      await within(async (tx) => tx.closeIncident(customerId(), old, await tx.nowMs()))
      const id = await open('unconfirmed', windowMs + 1000)
      const confirmed = { customer_id: customerId(), id, since_at: 0, last_good_at: null, flapping: false, cause, vantages: [] }
      await within((tx) => tx.confirmIncident(confirmed))
      expect((await look()).fleet.failing).toBe(before + 1)
    })

    test('counts an outage that was over before we heard of it', async () => {
      const before = (await look()).fleet.failing
      const past = await open()
      const [{ opened_at } = {}] = await stage.ground.incidents()
      await within((tx) => tx.closeIncident(customerId(), past, Number(opened_at)))
      expect((await look()).fleet.failing).toBe(before + 1)
    })

    test('counts what cannot be judged, unless maintenance holds it, it is over or it is judged', async () => {
      const unjudged = async () => (await within((tx) => tx.lockBlindSpell())).unjudged
      const before = await unjudged()
      const id = await open('unconfirmed')
      expect(await unjudged()).toBe(before + 1)
      await within((tx) => tx.holdStep(customerId(), id, { step: 0, round: 0 }, 0))
      expect(await unjudged()).toBe(before)
      await within((tx) => tx.setNextStep(customerId(), id, null))
      expect(await unjudged()).toBe(before + 1)
      await within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      expect(await unjudged()).toBe(before)
      const confirmed = {
        customer_id: customerId(),
        id: await open('unconfirmed'),
        since_at: 0,
        last_good_at: null,
        flapping: false,
        cause,
        vantages: [],
      }
      await within((tx) => tx.confirmIncident(confirmed))
      expect(await unjudged()).toBe(before)
    })

    test('has one blind spell, which one transaction after the other sees', async () => {
      const times = { since_ms: 1, told_ms: 2, round: 3 }
      const spell = { customer_id: customerId(), incident_id: newId(), code: 'K7QX', ...times }
      const saving = await holding(async (tx) => {
        await tx.lockBlindSpell()
        await tx.saveBlindSpell(spell)
      })
      const looking = within((tx) => tx.lockBlindSpell())
      await saving.end()
      expect((await looking).spell).toEqual(spell)
      await within((tx) => tx.saveBlindSpell(null))
      expect((await within((tx) => tx.lockBlindSpell())).spell).toBeNull()
    })

    test('has one guard, which one transaction after the other sees', async () => {
      const guard = { since_ms: await stage.ground.nowMs(), seen_ms: await stage.ground.nowMs() }
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
})
