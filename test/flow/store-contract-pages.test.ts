/** What paging relies on in its store, held by both: what is claimed, by whom, how long, and what becomes of it. */
import { describe, expect, test } from 'vitest'
import { alive, leaseMs, onBothStores, other } from '../support/both-stores.ts'
import { newId } from '../support/watched-monitor.ts'

onBothStores((stage) => {
  const { within, open, pageOf, addPage, claim, customerId, holding } = stage

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
      expect(await stage.ground.pages()).toHaveLength(6)
    })

    test('is claimed when it is due, by one, with a lease', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id, { due_at: (await stage.ground.nowMs()) + 10_000 })
      expect(await claim()).toEqual([])
      await stage.ground.passTime(10)
      await stage.ground.beat(alive)
      const first = await holding((tx) => tx.claimDuePages(alive, 1, leaseMs, []))
      expect(first.value).toMatchObject([{ incident_id: id, attempts: 1, doubts: 0, outdated: false, awaited: true }])
      expect(await claim(other)).toEqual([])
      await first.end()
      expect(await claim(other)).toEqual([])
      const leftMs = ((await stage.ground.due()).page ?? 0) - (await stage.ground.nowMs())
      expect(leftMs).toBeGreaterThan(leaseMs - 10_000)
      expect(leftMs).toBeLessThanOrEqual(leaseMs)
      await stage.ground.passTime(121)
      await stage.ground.beat(alive)
      expect(await claim(other)).toMatchObject([{ attempts: 2, doubts: 1 }])
    })

    test('whose sender is gone is claimed by another after five seconds, in doubt, and by itself not before its lease ends', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      const inHand = (await claim()).map((page) => page.id)
      await stage.ground.passTime(4)
      expect(await claim(other)).toEqual([])
      await stage.ground.passTime(1)
      expect(await claim(alive, inHand)).toEqual([])
      expect(await claim(other)).toMatchObject([{ attempts: 2, doubts: 1 }])
    })

    test('that its sender claimed and does not hold is claimed by it again, in doubt', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      const inHand = (await claim()).map((page) => page.id)
      expect(await claim(alive, inHand)).toEqual([])
      expect(await claim(alive)).toMatchObject([{ attempts: 2, doubts: 1 }])
    })

    test('is settled by the holder of its claim and nobody else', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      const [page] = await claim()
      if (page === undefined) throw new Error('nothing claimed')
      const accepted = { gateway: 'first', providerId: null, text: '(repeat) DOWN' }
      await within((tx) => tx.failPage(page, other, 'not mine'))
      await within((tx) => tx.cancelPage(page, other))
      await within((tx) => tx.postponePage(page, other, { delayMs: 0, error: 'not mine', inDoubt: true }))
      expect(await within((tx) => tx.acceptPage(page, other, accepted))).toBe(false)
      expect(await stage.ground.pages()).toMatchObject([{ state: 'sending', claimed_by: alive, doubts: 0 }])
      expect(await within((tx) => tx.acceptPage(page, alive, accepted))).toBe(true)
      expect(await within((tx) => tx.acceptPage(page, alive, accepted))).toBe(false)
      expect(await stage.ground.pages()).toMatchObject([
        { state: 'accepted', gateway: 'first', text: '(repeat) DOWN', claimed_by: null },
      ])
      expect((await stage.ground.due()).page).toBeNull()
    })

    test('that is put off comes again, and keeps its doubt', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      for (const inDoubt of [true, false]) {
        const [page] = await claim()
        if (page === undefined) throw new Error('nothing claimed')
        await within((tx) => tx.postponePage(page, alive, { delayMs: 15_000, error: 'busy', inDoubt }))
        expect(await stage.ground.pages()).toMatchObject([{ state: 'pending', last_error: 'busy', doubts: 1 }])
        expect(await claim()).toEqual([])
        await stage.ground.passTime(15)
      }
      expect(await claim()).toMatchObject([{ attempts: 3, doubts: 1 }])
    })

    test('of an incident that ends is cancelled where nobody sends it, and known as outdated where somebody does', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      const [sending] = await claim()
      await addPage(id, { step: 1 })
      const cancelled = await within(async (tx) => {
        await tx.closeIncident(customerId(), id, await tx.nowMs())
        return await tx.cancelPendingPages(customerId(), id)
      })
      expect(cancelled).toHaveLength(1)
      expect((await stage.ground.pages()).map(({ state }) => state).sort()).toEqual(['cancelled', 'sending'])
      if (sending === undefined) throw new Error('nothing claimed')
      await within((tx) => tx.postponePage(sending, alive, { delayMs: 0, error: 'busy', inDoubt: false }))
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

    test.each(['down', 'unconfirmed', 'resolved', 'fleet'] as const)(
      'of kind %s is awaited only where it tells of what lasts, and until somebody acknowledges',
      async (kind) => {
        const id = await open()
        await stage.ground.beat(alive)
        await addPage(id, { kind })
        const claimAnew = async () => {
          const [page] = await claim()
          if (page === undefined) throw new Error('nothing claimed')
          await within((tx) => tx.postponePage(page, alive, { delayMs: 0, error: 'busy', inDoubt: false }))
          return page.awaited
        }
        const lasts = kind === 'down' || kind === 'unconfirmed'
        expect(await claimAnew()).toBe(lasts)
        await within((tx) => tx.acknowledgeIncident({ customer_id: customerId(), id }, 'Ann'))
        expect(await claimAnew()).toBe(false)
      },
    )

    test('that nobody can have heard is cancelled when somebody acknowledges; one in doubt, an all-clear and what is being sent are not', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      const [doubtful] = await claim()
      if (doubtful === undefined) throw new Error('nothing claimed')
      await within((tx) => tx.postponePage(doubtful, alive, { delayMs: 0, error: 'silent', inDoubt: true }))
      await within((tx) => tx.claimDuePages(alive, 1, leaseMs, []))
      await within((tx) =>
        tx.postponePage({ ...doubtful, doubts: 1 }, alive, { delayMs: 60_000, error: 'silent', inDoubt: false }),
      )
      await addPage(id, { step: 1 })
      const [sending] = await claim()
      if (sending === undefined) throw new Error('nothing claimed')
      await addPage(id, { step: 2 })
      await addPage(id, { kind: 'resolved' })
      const cancelled = await within(async (tx) => {
        await tx.acknowledgeIncident({ customer_id: customerId(), id }, 'Ann')
        return tx.cancelUnheardPages(customerId(), id)
      })
      expect(cancelled).toHaveLength(1)
      const states = (await stage.ground.pages()).map(({ kind, step, state }) => `${kind} ${step} ${state}`)
      expect(states.sort()).toEqual(['down 0 pending', 'down 1 sending', 'down 2 cancelled', 'resolved 0 pending'])
      await within((tx) => tx.postponePage(sending, alive, { delayMs: 0, error: 'busy', inDoubt: false }))
      const claimed = []
      for (
        let page = (await claim())[0];
        page !== undefined;
        page = (
          await claim(
            alive,
            claimed.map((one) => one.id),
          )
        )[0]
      )
        claimed.push(page)
      expect(claimed.map(({ kind, step, outdated }) => `${kind} ${step} ${outdated}`).sort()).toEqual([
        'down 1 true',
        'resolved 0 false',
      ])
    })

    test('is awaited no more when what it tells of is over', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      await addPage(id)
      await within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      expect(await claim()).toMatchObject([{ outdated: true, awaited: false }])
    })

    test('of a blind spell is wanted as long as that lasts, whatever becomes of the incident that began it', async () => {
      const id = await open('unconfirmed')
      await stage.ground.beat(alive)
      const times = { since_ms: 0, told_ms: 0, round: 0 }
      const save = (incident_id: string | null) => {
        const spell = incident_id === null ? null : { customer_id: customerId(), incident_id, code: 'K7QX', ...times }
        return within((tx) => tx.saveBlindSpell(spell))
      }
      await save(id)
      await addPage(id, { kind: 'blind' })
      await within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs()))
      expect(await within((tx) => tx.cancelPendingPages(customerId(), id))).toEqual([])
      const claimAnew = async () => {
        const [page] = await claim()
        if (page === undefined) throw new Error('nothing claimed')
        await within((tx) => tx.postponePage(page, alive, { delayMs: 0, error: 'busy', inDoubt: false }))
        return { outdated: page.outdated, awaited: page.awaited }
      }
      expect(await claimAnew()).toEqual({ outdated: false, awaited: true })
      await save(newId())
      expect(await claimAnew()).toEqual({ outdated: true, awaited: false })
      await save(null)
      expect(await claimAnew()).toEqual({ outdated: true, awaited: false })
    })

    test('is a notice to the customer, one for all steps and recipients, unless nobody gets it', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      const notices = () =>
        within(async (tx) => {
          const monitor = await tx.lockMonitor(customerId(), stage.ground.monitor.monitor_id)
          if (monitor === null) throw new Error('the monitor has no state')
          return (await tx.loadEvidence(monitor)).told_ms
        })
      expect(await notices()).toEqual([])
      await addPage(id, { kind: 'unconfirmed' })
      await addPage(id, { kind: 'fleet' })
      expect(await notices()).toEqual([])
      await addPage(id)
      await addPage(id, { recipient: 'b', step: 1 })
      const told = await notices()
      expect(told).toHaveLength(1)
      expect(Math.abs((told[0] ?? 0) - (await stage.ground.nowMs()))).toBeLessThan(60_000)
      await within((tx) => tx.cancelPendingPages(customerId(), id))
      expect(await notices()).toEqual([])
      await addPage(id, { kind: 'resolved' })
      await addPage(id, { kind: 'past' })
      expect(await notices()).toHaveLength(2)
    })

    test('of a step is known by its step, round and address, in that order', async () => {
      const id = await open()
      await addPage(id, { step: 1, round: 0 })
      await addPage(id, { step: 0, round: 1, address: '+61400000009' })
      await addPage(id, { step: 0, round: 0 })
      await addPage(id, { kind: 'resolved' })
      const paged = await within((tx) => tx.readPaged(customerId(), id))
      expect(paged.map(({ step, round, address }) => `${round}.${step} ${address}`)).toEqual([
        '0.0 +61400000001',
        '0.1 +61400000001',
        '1.0 +61400000009',
      ])
      expect(Math.abs((paged[0]?.written_ms ?? 0) - (await stage.ground.nowMs()))).toBeLessThan(60_000)
    })

    test('of an incident that a person has closed is no notice: nobody knows whether mail had come back', async () => {
      await stage.ground.beat(alive)
      const notices = () =>
        within(async (tx) => {
          const monitor = await tx.lockMonitor(customerId(), stage.ground.monitor.monitor_id)
          if (monitor === null) throw new Error('the monitor has no state')
          return (await tx.loadEvidence(monitor)).told_ms.length
        })
      for (const [closed, more] of [
        [true, 0],
        [false, 2],
      ] as const) {
        const before = await notices()
        const id = await open()
        await addPage(id)
        expect(await notices()).toBe(before + 1)
        await within(async (tx) => tx.closeIncident(customerId(), id, await tx.nowMs(), closed))
        await addPage(id, { kind: 'resolved' })
        expect(await notices()).toBe(before + more)
      }
    })

    test('informs whom a gateway took it for, or may have', async () => {
      const id = await open()
      await stage.ground.beat(alive)
      const informed = async () =>
        (await within((tx) => tx.readInformed(customerId(), id, 'down'))).map(
          ({ recipient, being_told }) => `${recipient}${being_told ? ', at this moment' : ''}`,
        )
      await addPage(id, { recipient: 'b', due_at: (await stage.ground.nowMs()) - 1000 })
      expect(await informed()).toEqual([])
      const [first] = await claim()
      expect(await informed()).toEqual(['b, at this moment'])
      if (first === undefined) throw new Error('nothing claimed')
      await within((tx) => tx.postponePage(first, alive, { delayMs: 60_000, error: 'no answer', inDoubt: true }))
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
    expect(await named([stage.ground.contactId])).toEqual([
      { contact_method_id: stage.ground.methodId, address: '+61400000001', contact_name: 'Alice' },
    ])
    expect(await named([newId()])).toEqual([])
    const policy = await within((tx) => tx.readMonitorPolicy(customerId(), stage.ground.monitor.monitor_id))
    expect(policy).toEqual({ steps: [{ after_s: 0, contact_ids: [stage.ground.contactId] }], repeat: 0 })
  })
})
