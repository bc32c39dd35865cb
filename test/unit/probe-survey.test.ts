/** Which routes of a target a survey takes. */
import { describe, expect, test } from 'vitest'
import { systemRuntime } from '../../common/runtime.ts'
import type { MailResolver } from '../../common/smtp/mx.ts'
import type { Target } from '../../common/wire/test.ts'
import { createSurvey } from '../../probe/survey.ts'

const fault = (code: string) => Promise.reject(Object.assign(new Error(code), { code }))
type Zone = { mx?: [string, number][]; a?: Record<string, string[]>; aaaa?: Record<string, string[]> }

const resolverOf = ({ mx = [], a = {}, aaaa = {} }: Zone): MailResolver => ({
  resolveMx: async () => (mx.length === 0 ? fault('ENODATA') : mx.map(([exchange, priority]) => ({ exchange, priority }))),
  resolve4: async (host) => a[host] ?? fault('ENODATA'),
  resolve6: async (host) => aaaa[host] ?? fault('ENODATA'),
})

async function routesOf(zone: Zone, target: Partial<Target> = {}, waysTo: (address: string) => boolean = () => true) {
  const hasWayTo = async (address: string) => waysTo(address)
  const survey = createSurvey({ runtime: systemRuntime, resolver: resolverOf(zone), hasWayTo })
  const routes = await survey({ address: 'scout@customer.example', ...target })
  return routes.map(({ route, refusal }) => `${route.mx} ${route.family}${refusal === undefined ? '' : `: ${refusal}`}`)
}

const two: Zone = {
  mx: [
    ['mx2.customer.example', 20],
    ['mx1.customer.example', 10],
  ],
  a: { 'mx1.customer.example': ['192.0.2.1', '192.0.2.2'], 'mx2.customer.example': ['192.0.2.3'] },
}

describe('a survey takes', () => {
  test.each<[string, Zone, Partial<Target>, string[]]>([
    ['every mail server, best first', two, {}, ['mx1.customer.example ipv4', 'mx2.customer.example ipv4']],
    [
      'every address family of each',
      { ...two, aaaa: { 'mx2.customer.example': ['2001:db8::3'] } },
      {},
      ['mx1.customer.example ipv4', 'mx2.customer.example ipv4', 'mx2.customer.example ipv6'],
    ],
    ['nothing where there is one route, whatever its addresses', { ...two, mx: [['mx1.customer.example', 10]] }, {}, []],
    [
      'the families of the domain itself, where it has no mail server',
      { a: { 'customer.example': ['192.0.2.1'] }, aaaa: { 'customer.example': ['2001:db8::1'] } },
      {},
      ['customer.example ipv4', 'customer.example ipv6'],
    ],
    [
      'the families of a host that is named, and no other server',
      { ...two, a: { 'in.customer.example': ['192.0.2.9'] }, aaaa: { 'in.customer.example': ['2001:db8::9'] } },
      { host: 'in.customer.example' },
      ['in.customer.example ipv4', 'in.customer.example ipv6'],
    ],
    ['nothing where an address is named', two, { host: '192.0.2.1' }, []],
  ])('%s', async (_, zone, target, routes) => {
    expect(await routesOf(zone, target)).toEqual(routes)
  })

  test('ten at most, the best ones', async () => {
    const names = Array.from({ length: 8 }, (_, n) => `mx${n}.customer.example`)
    const addresses = (address: string) => Object.fromEntries(names.map((name) => [name, [address]]))
    const mx = names.map((name, n): [string, number] => [name, n])
    const routes = await routesOf({ mx, a: addresses('192.0.2.1'), aaaa: addresses('2001:db8::1') })
    expect([routes.length, routes.at(-1)]).toEqual([10, 'mx4.customer.example ipv6'])
  })
})

test('a probe without an address family says so, and only of that', async () => {
  const zone = { ...two, aaaa: { 'mx2.customer.example': ['2001:db8::3'] } }
  expect(await routesOf(zone, {}, (address) => !address.includes(':'))).toEqual([
    'mx1.customer.example ipv4',
    'mx2.customer.example ipv4',
    'mx2.customer.example ipv6: This probe has no way out over IPv6.',
  ])
})

test('the kernel says whether there is a way, without sending', async () => {
  const zone = { mx: two.mx ?? [], a: { 'mx1.customer.example': ['127.0.0.1'], 'mx2.customer.example': ['127.0.0.2'] } }
  const survey = createSurvey({ runtime: systemRuntime, resolver: resolverOf(zone) })
  expect((await survey({ address: 'scout@customer.example' })).map(({ refusal }) => refusal)).toEqual([undefined, undefined])
  // A link-local address without its link is nowhere.
  const nowhere = createSurvey({
    runtime: systemRuntime,
    resolver: resolverOf({ ...zone, aaaa: { 'mx2.customer.example': ['fe80::1'] } }),
  })
  expect((await nowhere({ address: 'scout@customer.example' })).at(-1)?.refusal).toContain('IPv6')
})
