/** The fleet as a whole, on a real database: a mass failure holds pages, a probe that fails widely has no vote, and past outages have one notice. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { showProbe } from '../../coordinator/api/views.ts'
import { escalateNext } from '../../coordinator/flow/escalate.ts'
import { reviewFleet } from '../../coordinator/flow/fleet.ts'
import { Outgoing, sendNextPage } from '../../coordinator/flow/send-pages.ts'
import { findProbe } from '../../coordinator/store/probes.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { type KnownProbe, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeEach(async () => {
  own = await freshDatabase()
})
afterEach(() => own?.drop())

const monitorOf = (name: string, options: Parameters<typeof WatchedMonitor.create>[1] = {}) =>
  WatchedMonitor.create(own, {
    ...options,
    settings: { name, target: { address: `scout@${name}.example` }, ...options.settings },
  })

describe('a mass failure', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  /** One after the other. */
  const allDown = async (): Promise<WatchedMonitor[]> => {
    const monitors: WatchedMonitor[] = []
    for (const name of names) {
      const monitor = await monitorOf(name)
      monitors.push(monitor)
      await monitor.goDown()
    }
    return monitors
  }

  test('holds the pages of those who come after the first few for three minutes, and tells the operator once', async () => {
    const monitors = await allDown()
    const kinds = await Promise.all(monitors.map(async (monitor) => (await monitor.pages()).map(({ kind }) => kind)))
    expect(kinds).toEqual([['down'], ['down'], ['down'], ['down'], ['fleet'], []])
    const [fifth, sixth] = monitors.slice(4)
    expect(await sixth?.events()).toEqual(['opened', 'page_held_by_fleet_guard'])
    const [operatorPage] = (await fifth?.pages()) ?? []
    expect(operatorPage).toMatchObject({
      recipient: 'operator',
      text: expect.stringMatching(/^FLEET 5 mail domains fail at once\./),
    })

    // Three minutes later everything that still fails is told, by itself.
    await own.admin`update fleet set since_at = since_at - interval '3 minutes', seen_at = seen_at - interval '3 minutes'`
    await fifth?.passTime(180)
    await sixth?.passTime(180)
    const context = { ...(fifth as WatchedMonitor).context, gateways: [] }
    while (await escalateNext(context)) {}
    expect((await fifth?.pages())?.map(({ kind }) => kind)).toEqual(['fleet', 'down'])
    expect((await sixth?.pages())?.map(({ kind }) => kind)).toEqual(['down'])
  })

  test('that is over while its pages are held wakes no customer', async () => {
    const monitors = await allDown()
    const last = monitors.at(-1)
    await last?.recover()
    expect(await last?.pages()).toEqual([])
    expect(await last?.events()).toEqual(['opened', 'page_held_by_fleet_guard', 'resolved'])
  })

  test('that nobody could confirm while the probes were cut off is at once when it is confirmed', async () => {
    const monitors: WatchedMonitor[] = []
    for (const name of names) {
      const monitor = await monitorOf(name)
      monitors.push(monitor)
      await monitor.becomeUnconfirmed()
      expect(await monitor.incidents()).toMatchObject([{ kind: 'unconfirmed' }])
      // The others are heard again only long after that.
      await own.admin`update incidents set opened_at = opened_at - interval '6 minutes' where monitor_id = ${monitor.id}`
    }
    for (const monitor of monitors) {
      await monitor.report('us', [{ outcome: 'timeout', agoS: 600, ...(await monitor.job('us')) }])
      await monitor.judge()
      expect(await monitor.incidents()).toMatchObject([{ kind: 'down' }])
    }
    const kinds = await Promise.all(monitors.map(async (monitor) => (await monitor.pages()).map(({ kind }) => kind)))
    const alone = ['unconfirmed', 'down']
    expect(kinds).toEqual([alone, alone, alone, alone, ['blind', 'fleet'], []])
    expect(await monitors.at(-1)?.events()).toEqual([
      'opened',
      'page_suppressed_by_blind_spell',
      'confirmed',
      'page_held_by_fleet_guard',
    ])
  })

  test('of many monitors of one mail domain is one domain', async () => {
    for (const _ of names) {
      const monitor = await monitorOf('hoster')
      await monitor.goDown()
      expect((await monitor.pages()).map(({ kind }) => kind)).toEqual(['down'])
    }
  })
})

describe('monitors that cannot be judged', () => {
  /** The operator's phone. */
  const phone = () => {
    const sent: string[] = []
    const send = async ({ text }: { text: string }) => ({ providerId: String(sent.push(text)) })
    const tell = async ({ context }: WatchedMonitor) => {
      const sending = { ...context, gateways: [{ name: 'played', kind: 'played', send }], outgoing: new Outgoing() }
      while (await sendNextPage(sending)) {}
      return sent.splice(0).toSorted()
    }
    return { tell }
  }

  test('ring four times and once for all the others, and once more when they are judged again', async () => {
    const { tell } = phone()
    const monitors: WatchedMonitor[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      const monitor = await monitorOf(name)
      monitors.push(monitor)
      await monitor.becomeUnconfirmed()
    }
    const last = monitors.at(-1) as WatchedMonitor
    expect(await last.events()).toEqual(['opened', 'page_suppressed_by_blind_spell'])
    expect(await tell(last)).toEqual([
      expect.stringMatching(/^BLIND 5 monitors or more cannot be judged: /),
      ...['a', 'b', 'c', 'd'].map((name) => expect.stringMatching(new RegExp(`^UNCONFIRMED ${name} `))),
    ])

    for (const monitor of monitors) {
      for (const region of ['eu', 'us', 'ap']) await monitor.report(region, [{ outcome: 'ok', agoS: 5, cause: 'open' }])
      await monitor.judge()
      expect(await monitor.state()).toMatchObject({ decision: 'up', state: { incident: null } })
    }
    expect(await tell(last)).toEqual([
      expect.stringMatching(/^BLIND OVER at .*: all monitors but 4 are judged again/),
      ...['a', 'b', 'c', 'd'].map((name) => expect.stringMatching(new RegExp(`^CONFIRMED OK ${name} `))),
    ])
  })

  test('are counted one after the other where several coordinators judge at once', async () => {
    const monitors: WatchedMonitor[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) monitors.push(await monitorOf(name))
    await Promise.all(monitors.map((monitor) => monitor.becomeUnconfirmed()))
    const kinds = await Promise.all(monitors.map(async (monitor) => (await monitor.pages()).map(({ kind }) => kind)))
    expect(kinds.flat().toSorted()).toEqual(['blind', ...Array<string>(4).fill('unconfirmed')])
  })
})

describe('a probe that fails for many', () => {
  /** The same three probes hold all these monitors. */
  async function fleet(names: string[]): Promise<WatchedMonitor[]> {
    const first = await monitorOf(names[0] ?? 'first')
    const probes = ['eu', 'us', 'ap'].map((region): KnownProbe => first.probe(region))
    const others: WatchedMonitor[] = []
    for (const name of names.slice(1)) others.push(await monitorOf(name, { probes }))
    return [first, ...others]
  }
  const tell = (monitor: WatchedMonitor, region: string, outcome: 'ok' | 'timeout', agoS = 640) =>
    monitor.report(region, [{ outcome, agoS, cause: 'open', tookS: outcome === 'ok' ? 4 : 600 }], { controls: [] })

  test('while mail from elsewhere returns has no vote', async () => {
    const monitors = await fleet(['a', 'b', 'c', 'd'])
    const [watched, ...others] = monitors
    for (const monitor of others) {
      await tell(monitor, 'eu', 'timeout')
      await tell(monitor, 'us', 'ok', 10)
    }
    await reviewFleet((watched as WatchedMonitor).context)
    const [eu] = await own.admin<{ contradicted: number; monitors_held: number }[]>`
      select contradicted, monitors_held from probes where id = ${watched?.probe('eu').id ?? ''}`
    expect(eu).toEqual({ contradicted: 3, monitors_held: 4 })
    const shown = await Promise.all(['eu', 'us'].map((region) => findProbe(own.admin, watched?.probe(region).id ?? '')))
    expect(shown.map((row) => row && showProbe(row).fails_widely)).toEqual([true, false])
    await watched?.report('eu', [{ outcome: 'timeout', agoS: 1230 }])
    await watched?.report('eu', [{ outcome: 'timeout', agoS: 600, cause: 'retest', attempt: 2 }])
    await watched?.judge()
    expect(await watched?.askedRegions()).toEqual([])
    expect(await watched?.state()).toMatchObject({ decision: 'up', state: { suspicion: null } })
    // Nor do its failures make a quorum with those of another.
    await watched?.report('us', [{ outcome: 'timeout', agoS: 1230 }])
    await watched?.report('us', [{ outcome: 'timeout', agoS: 600, cause: 'retest', attempt: 2 }])
    await watched?.judge()
    expect(await watched?.incidents()).toEqual([])
  })

  test('where mail from elsewhere fails as well is not to blame', async () => {
    const monitors = await fleet(['a', 'b', 'c', 'd'])
    for (const monitor of monitors.slice(1)) {
      await tell(monitor, 'eu', 'timeout')
      await tell(monitor, 'us', 'timeout')
    }
    const [watched] = monitors
    await reviewFleet((watched as WatchedMonitor).context)
    await watched?.goDown(['eu', 'us'])
    expect(await watched?.incidents()).toMatchObject([{ kind: 'down' }])
  })

  test('has its vote again when it passes', async () => {
    const monitors = await fleet(['a', 'b', 'c', 'd'])
    const [watched, ...others] = monitors
    for (const monitor of others) {
      await tell(monitor, 'eu', 'timeout')
      await tell(monitor, 'us', 'ok', 10)
    }
    const { context } = watched as WatchedMonitor
    await reviewFleet(context)
    for (const monitor of others) await tell(monitor, 'eu', 'ok', 5)
    await reviewFleet(context)
    await watched?.goDown(['eu', 'us'])
    expect(await watched?.incidents()).toMatchObject([{ kind: 'down' }])
  })
})

describe('an outage that was over before we heard of it', () => {
  /** What proves the probes' health is what they sent then. */
  const tellOfThePast = async (monitor: WatchedMonitor): Promise<void> => {
    const lost = { outcome: 'timeout', agoS: 7000, cause: 'open' } as const
    for (const region of ['eu', 'us', 'ap']) {
      const controls = [6900, 6200].map((agoS) => monitor.controlTrip(agoS))
      await monitor.report(region, [lost, { ...lost, agoS: 6300 }, { outcome: 'ok', agoS: 60, cause: 'open' }], { controls })
    }
    await monitor.judge()
  }

  test('for many mail systems at once is told to the operator at once, to customers after the hold, and to each of them', async () => {
    const monitors: WatchedMonitor[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const monitor = await monitorOf(name, { settings: { period_s: 3600 } })
      monitors.push(monitor)
      await tellOfThePast(monitor)
    }
    const kinds = await Promise.all(monitors.map(async (monitor) => (await monitor.pages()).map(({ kind }) => kind)))
    expect(kinds).toEqual([['past'], ['past'], ['past'], ['past'], ['fleet', 'past'], ['past']])
    const last = monitors.at(-1) as WatchedMonitor
    expect(await last.events()).toEqual(['opened', 'resolved', 'page_held_by_fleet_guard', 'paged'])
    const waits = async () =>
      await own.admin<{ kind: string; wait_s: number }[]>`
        select kind, round(extract(epoch from due_at - created_at))::int as wait_s from pages where kind <> 'fleet' order by created_at, id`
    expect((await waits()).map(({ wait_s }) => wait_s > 170)).toEqual([false, false, false, false, true, true])

    const sent: string[] = []
    const gateway = {
      name: 'played',
      kind: 'played',
      send: async ({ text }: { text: string }) => ({ providerId: String(sent.push(text)) }),
    }
    const sending = { ...last.context, gateways: [gateway], outgoing: new Outgoing() }
    const sendAll = async () => {
      while (await sendNextPage(sending)) {}
      return sent.splice(0).map((text) =>
        text
          .split(' ')
          .slice(0, text.startsWith('FLEET') ? 1 : 3)
          .join(' '),
      )
    }
    expect((await sendAll()).toSorted()).toEqual(['FLEET', ...['a', 'b', 'c', 'd'].map((name) => `WAS DOWN ${name}`)])
    await last.passTime(180)
    expect((await sendAll()).toSorted()).toEqual(['WAS DOWN e', 'WAS DOWN f'])
  })

  test('is one incident, opened and resolved at once, with one page and no all-clear', async () => {
    const monitor = await monitorOf('late', { settings: { period_s: 3600 } })
    await tellOfThePast(monitor)
    const [incident, ...more] = await monitor.incidents()
    expect(more).toEqual([])
    expect(incident).toMatchObject({ kind: 'down', next_step_at: null })
    expect(incident?.resolved_at).toBe(incident?.opened_at)
    expect(Number(incident?.since_at)).toBe(monitor.startMs - 7_000_000)
    expect(await monitor.events()).toEqual(['opened', 'resolved', 'paged'])
    const pages = await monitor.pages()
    expect(pages).toMatchObject([{ kind: 'past', text: expect.stringMatching(/^WAS DOWN late /) }])
    expect((await monitor.state()).state).toMatchObject({ decision: 'up', incident: null, late: null })

    const sent: string[] = []
    const gateway = {
      name: 'played',
      kind: 'played',
      send: async ({ text }: { text: string }) => ({ providerId: String(sent.push(text)) }),
    }
    expect(await sendNextPage({ ...monitor.context, gateways: [gateway], outgoing: new Outgoing() })).toBe(true)
    expect(sent).toEqual([pages[0]?.text])
    await monitor.report('eu', [{ outcome: 'ok', agoS: 5, cause: 'open' }])
    await monitor.judge()
    expect(await monitor.incidents()).toHaveLength(1)
  })
})
