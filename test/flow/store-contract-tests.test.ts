/** What both stores know of the tests behind an incident: see store-contract.test.ts. */
import { describe, expect, test } from 'vitest'
import { cause, onBothStores } from '../support/both-stores.ts'
import { newId } from '../support/watched-monitor.ts'

onBothStores((stage) => {
  const { within, open, customerId } = stage

  describe('an outage that is over', () => {
    const ended = async (id: string, passing: string[]) => {
      await within((tx) => tx.recordOutageEnd(customerId(), id, passing))
      const [{ last_fail_at, first_pass_at } = {}] = await stage.ground.incidents()
      return { last_fail_at, first_pass_at }
    }

    test('ended between its last failing test and the first passing one after it', async () => {
      const id = await open()
      await stage.ground.tell('timeout', 90)
      await stage.ground.tell('ok', 45)
      const failing = await stage.ground.tell('refused', 30)
      await stage.ground.tell('not_run', 25)
      const passing = await stage.ground.tell('slow', 20)
      await stage.ground.tell('ok', 10)
      const expected = { last_fail_at: failing.started_ms, first_pass_at: passing.started_ms }
      expect(await ended(id, [passing.probe_id])).toEqual(expected)
    })

    test('ended when its first failing test was sent at the earliest, and nobody knows when at the latest', async () => {
      const id = await open()
      const { since_at } = (await stage.ground.incidents())[0] ?? {}
      await stage.ground.tell('timeout', 90)
      await stage.ground.tell('ok', 75)
      expect(await ended(id, [])).toEqual({ last_fail_at: since_at, first_pass_at: null })
    })

    test('when it was heard of is written with its end, beside one that is open', async () => {
      await open()
      const nowMs = await stage.ground.nowMs()
      const id = newId()
      const times = { since_at: nowMs - 9_000, last_good_at: null, opened_at: nowMs }
      const end = { resolved_at: nowMs, last_fail_at: nowMs - 8_000, first_pass_at: nowMs - 7_000 }
      const past = { ...stage.ground.monitor, id, code: 'PAST', kind: 'down' as const, ...times, flapping: false, cause, end }
      await within((tx) => tx.insertIncident({ ...past, vantages: [] }))
      expect((await stage.ground.incidents()).find((incident) => incident.id === id)).toMatchObject(end)
    })

    test('has no end to note where it was none', async () => {
      const id = await open('unconfirmed')
      const { probe_id } = await stage.ground.tell('ok', 10)
      expect(await ended(id, [probe_id])).toEqual({ last_fail_at: null, first_pass_at: null })
    })
  })

  test('what a server said in a test is read by its id, and whether its mail is back late', async () => {
    const told = await stage.ground.tell('timeout', 30, {})
    const read = () => within((tx) => tx.readTestEvidence(customerId(), [told.id, newId()]))
    expect(await read()).toEqual(new Map([[told.id, { outcome: 'timeout', detail: {}, late: null }]]))
    await stage.ground.returnLate(told.id, told.probe_id)
    expect((await read()).get(told.id)?.late).toEqual({ rtt_ms: 900_000, legs: null })
  })
})
