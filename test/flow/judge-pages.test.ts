/** Who is paged, when, and through what: steps, rounds, gateways that fail, coordinators that vanish. Gateways are played; the rest is real. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MailscoutError } from '../../common/errors.ts'
import { escalateNext } from '../../coordinator/flow/escalate.ts'
import { endIncidentByHand } from '../../coordinator/flow/incident.ts'
import { Outgoing, type SendContext, sendNextPage } from '../../coordinator/flow/send-pages.ts'
import type { Gateway } from '../../coordinator/gateways/gateway.ts'
import { acknowledgeIncident } from '../../coordinator/store/incidents.ts'
import { beat } from '../../coordinator/store/probe-link.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

type Answer = 'accepts' | 'GATEWAY_REFUSED' | 'GATEWAY_UNAVAILABLE' | 'GATEWAY_OUTCOME_UNKNOWN'

/** A gateway that answers as told, the last answer again and again, and keeps what it was sent. */
function gateway(name: string, ...answers: Answer[]): Gateway & { sent: string[] } {
  const sent: string[] = []
  return {
    name,
    kind: 'played',
    sent,
    async send({ to, text }) {
      sent.push(`${to} ${text}`)
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (answer !== undefined && answer !== 'accepts') throw new MailscoutError(answer, `${name} says ${answer}`)
      return { providerId: `${name}-${sent.length}` }
    },
  }
}

async function send(context: SendContext): Promise<number> {
  let count = 0
  while (await sendNextPage(context)) count += 1
  return count
}

const down = async (options: Parameters<typeof WatchedMonitor.create>[1] = {}) => {
  await own.admin`update pages set state = 'cancelled' where state in ('pending', 'sending')`
  await own.admin`update incidents set next_step_at = null where next_step_at is not null`
  const monitor = await WatchedMonitor.create(own, options)
  const incidentId = await monitor.goDown()
  const outgoing = new Outgoing()
  const sending = (...gateways: Gateway[]): SendContext => ({ ...monitor.context, gateways, outgoing })
  const incident = { customer_id: monitor.customerId, id: incidentId, monitor_id: monitor.id }
  return { monitor, incident, sending }
}

describe('steps', () => {
  const stepsTaken = async (monitor: WatchedMonitor) => (await monitor.pages()).map(({ step, round }) => `${round}.${step}`)

  test('follow one another after their waits, then in rounds, until the policy is exhausted', async () => {
    const { monitor } = await down({ steps: [{ after_s: 0 }, { after_s: 300 }], repeat: 1 })
    expect(await escalateNext(monitor.context)).toBe(false)
    for (const wait of [300, 15 * 60, 300]) {
      await monitor.passTime(wait - 10)
      expect(await escalateNext(monitor.context)).toBe(false)
      await monitor.passTime(10)
      expect(await escalateNext(monitor.context)).toBe(true)
    }
    expect(await stepsTaken(monitor)).toEqual(['0.0', '0.1', '1.0', '1.1'])
    await monitor.passTime(86_400)
    expect(await escalateNext(monitor.context)).toBe(false)
    expect((await monitor.events()).filter((type) => type === 'policy_exhausted')).toHaveLength(1)
  })

  test('end when somebody acknowledges', async () => {
    const { monitor, incident } = await down({ steps: [{ after_s: 0 }, { after_s: 300 }] })
    expect(await acknowledgeIncident(monitor.sql, incident, 'Alice')).toBe(true)
    await monitor.passTime(300)
    expect(await escalateNext(monitor.context)).toBe(false)
    expect(await stepsTaken(monitor)).toEqual(['0.0'])
  })

  test('a first step with a wait is taken after it, by whichever coordinator comes first, once', async () => {
    const { monitor } = await down({ steps: [{ after_s: 120 }] })
    expect(await monitor.pages()).toEqual([])
    await monitor.passTime(120)
    const other = { ...monitor.context, coordinatorId: newId() }
    const taken = await Promise.all([escalateNext(monitor.context), escalateNext(other)])
    expect(taken.filter(Boolean)).toHaveLength(1)
    expect(await monitor.pages()).toHaveLength(1)
  })

  test('a step with nobody in it is logged, and the next follows', async () => {
    await own.admin`update incidents set next_step_at = null`
    const monitor = await WatchedMonitor.create(own, { steps: [{ after_s: 0 }, { after_s: 60 }] })
    await own.admin`delete from contact_methods where customer_id = ${monitor.customerId}`
    await monitor.goDown()
    expect(await monitor.events()).toEqual(['opened', 'nobody_to_page'])
    await monitor.passTime(60)
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await monitor.events()).toEqual(['opened', 'nobody_to_page', 'nobody_to_page', 'policy_exhausted'])
  })

  test('a monitor without a policy says so in its incident', async () => {
    const { monitor } = await down({ settings: { escalation_policy_id: null } })
    expect(await monitor.events()).toEqual(['opened', 'no_policy'])
  })
})

describe('too few healthy vantages', () => {
  const unconfirmed = async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    await monitor.becomeUnconfirmed()
    return monitor
  }

  test('page the operator and nobody else', async () => {
    const monitor = await unconfirmed()
    expect(await monitor.incidents()).toMatchObject([{ kind: 'unconfirmed' }])
    expect(await monitor.pages()).toMatchObject([{ kind: 'unconfirmed', recipient: 'operator', address: '+61400000000' }])
  })

  test('the customer is paged when the vote comes in, although the operator has acknowledged', async () => {
    const monitor = await unconfirmed()
    const [{ id } = {}] = await monitor.incidents()
    await acknowledgeIncident(monitor.sql, { customer_id: monitor.customerId, id: String(id) }, 'operator')
    await monitor.report('us', [{ outcome: 'timeout', agoS: 600, ...(await monitor.job('us')) }])
    await monitor.judge()
    expect(await monitor.incidents()).toMatchObject([{ id, kind: 'down', acknowledged_at: null }])
    expect(await monitor.pages()).toMatchObject([{ kind: 'unconfirmed' }, { kind: 'down', address: '+61400000001' }])
  })

  test('it ends without a word to the customer when mail returns', async () => {
    const monitor = await unconfirmed()
    await own.admin`update pages set state = 'accepted' where kind = 'unconfirmed'`
    await monitor.report('us', [{ outcome: 'ok', agoS: 5, ...(await monitor.job('us')) }])
    await monitor.report('eu', [{ outcome: 'ok', agoS: 5, cause: 'open' }])
    await monitor.judge()
    expect(await monitor.incidents()).toMatchObject([{ kind: 'unconfirmed', resolved_at: expect.any(Number) }])
    expect((await monitor.pages()).map(({ kind, recipient }) => [kind, recipient])).toEqual([
      ['unconfirmed', 'operator'],
      ['unconfirmed_resolved', 'operator'],
    ])
  })
})

describe('sending', () => {
  test('goes to the next gateway where one refuses or is away', async () => {
    const { monitor, sending } = await down()
    const [first, second, third] = [
      gateway('first', 'GATEWAY_UNAVAILABLE'),
      gateway('second', 'GATEWAY_REFUSED'),
      gateway('third', 'accepts'),
    ]
    expect(await send(sending(first, second, third))).toBe(1)
    expect(third.sent).toEqual([expect.stringMatching(/^\+61400000001 DOWN Mail of Example/)])
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted', gateway: 'third', provider_id: 'third-1', attempts: 1 }])
    expect(await monitor.events()).toContain('page_accepted')
  })

  test('is tried again later where no gateway works, and not before', async () => {
    const { monitor, sending } = await down()
    const busy = gateway('busy', 'GATEWAY_UNAVAILABLE', 'accepts')
    await send(sending(busy))
    expect(await monitor.pages()).toMatchObject([{ state: 'pending', doubts: 0, last_error: expect.stringContaining('busy') }])
    expect(await send(sending(busy))).toBe(0)
    await monitor.passTime(2)
    expect(await send(sending(busy))).toBe(1)
    expect(busy.sent[1]).not.toContain('(repeat)')
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted', attempts: 2 }])
  })

  test('is given up, and logged, where every gateway refuses for good', async () => {
    const { monitor, sending } = await down()
    await send(sending(gateway('strict', 'GATEWAY_REFUSED')))
    expect(await monitor.pages()).toMatchObject([{ state: 'failed' }])
    expect(await monitor.events()).toContain('page_failed')
  })

  test('a gateway that falls silent may have it: once more through another, marked as a repeat', async () => {
    const { monitor, sending } = await down()
    const [silent, sound] = [gateway('silent', 'GATEWAY_OUTCOME_UNKNOWN'), gateway('sound', 'accepts')]
    await send(sending(silent, sound))
    expect(silent.sent).toHaveLength(1)
    expect(sound.sent).toEqual([expect.stringMatching(/^\+61400000001 \(repeat\) DOWN .*Code \w{4}$/)])
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted', text: expect.stringMatching(/^\(repeat\)/) }])
  })

  test('a page in doubt does not wait for the gateway that swallows it while another would take it', async () => {
    const { monitor, sending } = await down()
    const [silent, sound] = [gateway('silent', 'GATEWAY_OUTCOME_UNKNOWN'), gateway('sound', 'GATEWAY_OUTCOME_UNKNOWN', 'accepts')]
    await send(sending(silent, sound))
    await monitor.passTime(15)
    await send(sending(silent, sound))
    expect(silent.sent).toHaveLength(1)
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted', gateway: 'sound' }])
  })

  test('an all-clear that found no gateway for long is not given up at the first doubt', async () => {
    const { monitor, sending } = await down()
    await own.admin`update pages set kind = 'resolved' where state = 'pending'`
    const away = gateway('away', 'GATEWAY_UNAVAILABLE')
    for (let i = 0; i < 10; i++) {
      await send(sending(away))
      await monitor.passTime(60)
    }
    await send(sending(gateway('silent', 'GATEWAY_OUTCOME_UNKNOWN')))
    expect(await monitor.pages()).toMatchObject([{ state: 'pending', attempts: 11 }])
    await monitor.passTime(15)
    expect(await send(sending(gateway('sound', 'accepts')))).toBe(1)
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted' }])
  })

  test.each([
    ['a page is tried for as long as what it tells of lasts', 'down', 'pending'],
    ['an all-clear is given up after about two hours', 'resolved', 'failed'],
  ])('where no gateway works %s', async (_what, kind, state) => {
    const { monitor, sending } = await down()
    await own.admin`update pages set attempts = 200, kind = ${kind} where state = 'pending'`
    await send(sending(gateway('away', 'GATEWAY_UNAVAILABLE')))
    expect(await monitor.pages()).toMatchObject([{ state, attempts: 201 }])
  })

  test('before a long pause every gateway is asked, also where the one whose turn it is falls silent', async () => {
    const { monitor, sending } = await down()
    await own.admin`update pages set attempts = 7, doubts = 7 where state = 'pending'`
    await send(sending(gateway('sound', 'accepts'), gateway('silent', 'GATEWAY_OUTCOME_UNKNOWN')))
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted', gateway: 'sound' }])
  })

  test('a gateway that never answers is asked further and further apart, and once an hour for as long as nobody acknowledges', async () => {
    const { monitor, sending } = await down()
    const [mute, deaf] = [gateway('mute', 'GATEWAY_OUTCOME_UNKNOWN'), gateway('deaf', 'GATEWAY_OUTCOME_UNKNOWN')]
    const askedAtS: number[] = []
    for (let atS = 0; atS <= 6 * 3600; atS += 15) {
      if ((await send(sending(mute, deaf))) > 0) askedAtS.push(atS)
      await monitor.passTime(15)
    }
    expect(askedAtS).toEqual([0, 15, 45, 105, 225, 465, 945, 1905, 3825, 7425, 11_025, 14_625, 18_225])
    expect(await monitor.pages()).toMatchObject([{ state: 'pending' }])
    const [{ id } = {}] = await monitor.incidents()
    await acknowledgeIncident(monitor.sql, { customer_id: monitor.customerId, id: String(id) }, 'Ann')
    await monitor.passTime(3600)
    await send(sending(mute, deaf))
    expect(await monitor.pages()).toMatchObject([{ state: 'failed' }])
  })

  test('an all-clear to which no gateway answers is given up after eight times', async () => {
    const { monitor, sending } = await down()
    await own.admin`update pages set attempts = 7, doubts = 7, kind = 'resolved' where state = 'pending'`
    await send(sending(gateway('silent', 'GATEWAY_OUTCOME_UNKNOWN')))
    expect(await monitor.pages()).toMatchObject([{ state: 'failed', attempts: 8 }])
  })

  test('a coordinator that vanished in the middle: another sends it again, marked as a repeat', async () => {
    const { monitor, sending } = await down()
    const vanished = { ...monitor.context, coordinatorId: newId() }
    await beat(monitor.sql, vanished.coordinatorId)
    const hanging: Gateway = { name: 'hanging', kind: 'played', send: () => new Promise(() => {}) }
    void sendNextPage({ ...vanished, gateways: [hanging], outgoing: new Outgoing() })
    await expect.poll(async () => (await monitor.pages()).map(({ state }) => state)).toEqual(['sending'])
    const sound = gateway('sound', 'accepts')
    // As long as the other lives, the page is its.
    expect(await send(sending(sound))).toBe(0)
    await own.admin`update coordinators set seen_at = now() - interval '6 seconds' where id = ${vanished.coordinatorId}`
    expect(await send(sending(sound))).toBe(1)
    expect(sound.sent).toEqual([expect.stringContaining('(repeat) DOWN')])
  })

  test('a page whose claim or outcome was lost with the database is sent again by the same coordinator, marked as a repeat', async () => {
    const { monitor, sending } = await down()
    await beat(monitor.sql, monitor.context.coordinatorId)
    const sound = gateway('sound', 'accepts')
    const { transaction } = monitor.context.store
    let transactions = 0
    const store = {
      // The claim is committed; the outcome cannot be.
      transaction: ((work) =>
        ++transactions > 1 ? Promise.reject(new Error('the database is away')) : transaction(work)) as typeof transaction,
    }
    const context = sending(sound)
    await expect(sendNextPage({ ...context, store })).rejects.toThrow('away')
    expect(await monitor.pages()).toMatchObject([{ state: 'sending' }])
    expect(await send(context)).toBe(1)
    expect(sound.sent).toEqual([expect.stringMatching(/ DOWN /), expect.stringMatching(/ \(repeat\) DOWN /)])
    expect(await monitor.pages()).toMatchObject([{ state: 'accepted' }])
  })

  test('lanes of one coordinator do not take from each other what they have just claimed', async () => {
    const { monitor, sending } = await down()
    await beat(monitor.sql, monitor.context.coordinatorId)
    const sound = gateway('sound', 'accepts')
    const context = sending(sound)
    const sent = await Promise.all(Array.from({ length: 8 }, () => sendNextPage(context)))
    expect(sent.filter(Boolean)).toHaveLength(1)
    expect(sound.sent).toHaveLength(1)
  })

  test('a coordinator whose heartbeat is late does not take a page from itself', async () => {
    const { monitor, sending } = await down()
    const hanging: Gateway = { name: 'hanging', kind: 'played', send: () => new Promise(() => {}) }
    void sendNextPage(sending(hanging))
    await expect.poll(async () => (await monitor.pages()).map(({ state }) => state)).toEqual(['sending'])
    await own.admin`update coordinators set seen_at = now() - interval '6 seconds' where id = ${monitor.context.coordinatorId}`
    expect(await send(sending(gateway('sound', 'accepts')))).toBe(0)
  })
})

describe('the end of an incident', () => {
  test('cancels what has not been sent, and says nothing to who was told nothing', async () => {
    const { monitor, sending } = await down()
    await monitor.recover()
    expect(await monitor.pages()).toMatchObject([{ kind: 'down', state: 'cancelled' }])
    expect(await send(sending(gateway('sound', 'accepts')))).toBe(0)
  })

  test('a page that was being sent to a busy gateway at that moment is not sent afterwards', async () => {
    const { monitor, sending } = await down()
    const sound = gateway('sound', 'accepts')
    const answer = Promise.withResolvers<never>()
    const slow: Gateway = { name: 'slow', kind: 'played', send: () => answer.promise }
    const underWay = sendNextPage(sending(slow))
    await expect.poll(async () => (await monitor.pages()).map(({ state }) => state)).toEqual(['sending'])
    await monitor.recover()
    answer.reject(new MailscoutError('GATEWAY_UNAVAILABLE', 'busy'))
    await underWay
    await monitor.passTime(10)
    await send(sending(sound))
    expect(sound.sent.filter((text) => text.includes(' DOWN '))).toEqual([])
    expect((await monitor.pages()).find(({ kind }) => kind === 'down')).toMatchObject({ state: 'cancelled' })
  })

  test('by hand: says that it was closed, not that mail returns, and the next failing test opens another', async () => {
    const { monitor, incident, sending } = await down()
    const sound = gateway('sound', 'accepts')
    await send(sending(sound))
    await monitor.context.store.transaction((tx) => endIncidentByHand(monitor.context, tx, incident, 'resolved_by_hand'))
    await monitor.judge()
    await send(sending(sound))
    expect(sound.sent[1]).toMatch(/CLOSED Mail of Example at .* closed by hand\. Code \w{4}$/)
    expect(await monitor.incidents()).toMatchObject([{ closed: true }])
    // What had begun before is known; what begins after is news.
    await monitor.report('us', [{ outcome: 'timeout', agoS: 500, cause: 'open' }])
    await monitor.judge()
    expect((await monitor.state()).state.suspicion).toBeNull()
    await monitor.report('us', [{ outcome: 'timeout', agoS: -60, tookS: 0, cause: 'open' }], {
      controls: [monitor.controlTrip(-61)],
    })
    await monitor.judge()
    expect((await monitor.state()).state.suspicion).not.toBeNull()
  })
})
