import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shareFate } from '../../coordinator/core/failure-domain.ts'
import { type Candidate, chooseVantages, fillPositions, type Holder, phaseMs } from '../../coordinator/core/placement.ts'

const candidate = (id: string, region: string, healthy = true) => ({
  probe_id: id,
  healthy,
  domain: { region, asn: null, return_domain: `${id}.example` },
})

const regions = ['eu', 'us', 'ap', 'sa', 'af']
const probes = fc
  .uniqueArray(fc.record({ n: fc.integer({ min: 0, max: 30 }), region: fc.constantFrom(...regions), healthy: fc.boolean() }), {
    selector: ({ n }) => n,
    maxLength: 12,
  })
  .map((drawn) => drawn.map(({ n, region, healthy }) => candidate(`probe-${n}`, region, healthy)))
const monitorId = fc.uuid()
const distinctRegions = (chosen: readonly Candidate[]) => new Set(chosen.map(({ domain }) => domain.region)).size
const byId = (all: readonly Candidate[], holders: readonly Holder[]) =>
  holders.flatMap(({ probe_id }) => all.filter((candidate) => candidate.probe_id === probe_id))

describe('choosing vantages', () => {
  test('takes as many distinct regions as there are, and only then a second one of the same', () => {
    fc.assert(
      fc.property(monitorId, probes, fc.integer({ min: 1, max: 5 }), (id, all, count) => {
        const chosen = chooseVantages(id, all, count)
        expect(chosen).toHaveLength(Math.min(count, all.length))
        expect(distinctRegions(chosen)).toBe(Math.min(count, distinctRegions(all)))
      }),
    )
  })

  test('does not depend on the order of the candidates', () => {
    fc.assert(
      fc.property(monitorId, probes, fc.integer({ min: 1, max: 5 }), (id, all, count) => {
        expect(chooseVantages(id, all.toReversed(), count)).toEqual(chooseVantages(id, all, count))
      }),
    )
  })

  test('spreads monitors over the probes of a region', () => {
    const all = ['a', 'b', 'c', 'd'].map((id) => candidate(id, 'eu'))
    const chosen = Array.from({ length: 400 }, (_, n) => chooseVantages(`monitor-${n}`, all, 1)[0]?.probe_id)
    for (const { probe_id } of all) expect(chosen.filter((id) => id === probe_id).length).toBeGreaterThan(60)
  })

  test('phases are spread evenly over the period', () => {
    expect([0, 1, 2].map((index) => phaseMs(1200, index, 3))).toEqual([0, 400_000, 800_000])
  })
})

describe('filling positions', () => {
  const fill = (id: string, count: number, holders: Holder[], all: ReturnType<typeof candidate>[]) =>
    fillPositions(id, count, holders, all)

  test('asked again, it changes nothing: nobody is moved for nothing', () => {
    fc.assert(
      fc.property(monitorId, probes, fc.integer({ min: 1, max: 5 }), (id, all, count) => {
        const first = fill(id, count, [], all)
        const second = fill(id, count, first, all)
        expect(fill(id, count, second, all)).toEqual(second)
        expect(second).toEqual(first)
      }),
    )
  })

  test('every position once, every probe once, never more than there are', () => {
    fc.assert(
      fc.property(monitorId, probes, probes, fc.integer({ min: 1, max: 5 }), (id, before, after, count) => {
        const filled = fill(id, count, fill(id, count, [], before), after)
        expect(new Set(filled.map(({ position }) => position)).size).toBe(filled.length)
        expect(new Set(filled.map(({ probe_id }) => probe_id)).size).toBe(filled.length)
        expect(filled.length).toBeLessThanOrEqual(count)
        const healthy = after.filter((candidate) => candidate.healthy)
        expect(filled.length).toBeGreaterThanOrEqual(Math.min(count, healthy.length))
      }),
    )
  })

  test('healthy holders in distinct regions keep their places whatever else changes', () => {
    fc.assert(
      fc.property(monitorId, probes, probes, fc.integer({ min: 1, max: 5 }), (id, before, newcomers, count) => {
        const healthy = before.map((probe) => ({ ...probe, healthy: true }))
        const held = fill(id, count, [], healthy)
        const holding = byId(healthy, held)
        const distinct = held.filter(
          (_, i) =>
            !holding.some(
              (other, j) => j !== i && other !== undefined && shareFate(other.domain, holding[i]?.domain ?? other.domain),
            ),
        )
        const others = newcomers.filter(({ probe_id }) => !healthy.some((probe) => probe.probe_id === probe_id))
        const after = fill(id, count, held, [...others, ...healthy])
        for (const holder of distinct) expect(after).toContainEqual(holder)
      }),
    )
  })

  test('a lost holder gives its place to a healthy newcomer, and keeps it where there is none', () => {
    const held = [
      { probe_id: 'a', position: 0 },
      { probe_id: 'b', position: 1 },
    ]
    const a = candidate('a', 'eu')
    const lost = candidate('b', 'us', false)
    expect(fill('m', 2, held, [a, lost])).toEqual(held)
    expect(fill('m', 2, held, [a, lost, candidate('c', 'ap')])).toEqual([
      { probe_id: 'a', position: 0 },
      { probe_id: 'c', position: 1 },
    ])
  })

  test('a newcomer from another region takes the place of one that shares its region with another holder', () => {
    const held = [
      { probe_id: 'a', position: 0 },
      { probe_id: 'b', position: 1 },
    ]
    const all = [candidate('a', 'eu'), candidate('b', 'eu'), candidate('c', 'us')]
    expect(fill('m', 2, held, all)).toEqual([
      { probe_id: 'a', position: 0 },
      { probe_id: 'c', position: 1 },
    ])
  })
})
