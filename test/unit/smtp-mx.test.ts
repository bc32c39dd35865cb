import { describe, expect, it } from 'vitest'
import { type MailResolver, mailAddressesMax, mailHostsMax, resolveHost, resolveMailHosts } from '../../common/smtp/mx.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

/** A zone: what is not in it does not exist; a text is an error code. */
type Zone = Record<string, { mx?: [number, string][] | string; a?: string[] | string; aaaa?: string[] | string }>

function zoneResolver(zone: Zone): MailResolver {
  const answer = <T>(name: string, records: T[] | string | undefined): T[] => {
    const code = zone[name] === undefined ? 'ENOTFOUND' : typeof records === 'string' ? records : 'ENODATA'
    if (Array.isArray(records)) return records
    throw Object.assign(new Error(`query ${code} ${name}`), { code })
  }
  return {
    async resolveMx(name) {
      return answer(name, zone[name]?.mx).map(([priority, exchange]) => ({ priority, exchange }))
    },
    resolve4: async (name) => answer(name, zone[name]?.a),
    resolve6: async (name) => answer(name, zone[name]?.aaaa),
  }
}
const look = (domain: string, zone: Zone, runtime = new FakeRuntime()) => resolveMailHosts(domain, zoneResolver(zone), runtime)

describe('the mail servers of a domain', () => {
  it('come by priority, IPv4 before IPv6, without the dot of the root', async () => {
    const zone: Zone = {
      'customer.example': {
        mx: [
          [20, 'b.example.'],
          [10, 'A.example'],
        ],
      },
      'a.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
      'b.example': { a: ['192.0.2.2'] },
    }
    expect(await look('Customer.Example.', zone)).toEqual([
      {
        host: 'a.example',
        priority: 10,
        addresses: [
          { address: '192.0.2.1', family: 4 },
          { address: '2001:db8::1', family: 6 },
        ],
      },
      { host: 'b.example', priority: 20, addresses: [{ address: '192.0.2.2', family: 4 }] },
    ])
  })

  it('of equal priority come in an order that changes', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const zone: Zone = { 'x.example': { mx: names.map((name) => [10, name]) } }
    for (const name of names) zone[name] = { a: ['192.0.2.1'] }
    const runtime = new FakeRuntime()
    const orders = new Set<string>()
    for (let run = 0; run < 20; run += 1) orders.add((await look('x.example', zone, runtime)).map(({ host }) => host).join(''))
    expect(orders.size).toBeGreaterThan(5)
  })

  it('are the domain itself where it has no MX', async () => {
    expect(await look('x.example', { 'x.example': { a: ['192.0.2.9'] } })).toEqual([
      { host: 'x.example', priority: 0, addresses: [{ address: '192.0.2.9', family: 4 }] },
    ])
  })

  it('are bounded in number', async () => {
    const zone: Zone = { 'x.example': { mx: [] } }
    const mx: [number, string][] = []
    for (let host = 0; host < 30; host += 1) {
      mx.push([host, `h${host}`])
      zone[`h${host}`] = { a: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] }
    }
    zone['x.example'] = { mx }
    const hosts = await look('x.example', zone)
    expect(hosts.length).toBeLessThanOrEqual(mailHostsMax)
    expect(hosts.flatMap(({ addresses }) => addresses)).toHaveLength(mailAddressesMax)
  })

  it('are those that could be found, when another could not', async () => {
    const zone: Zone = {
      'x.example': {
        mx: [
          [10, 'gone'],
          [20, 'broken'],
          [30, 'good'],
        ],
      },
      broken: { a: 'ESERVFAIL', aaaa: 'ESERVFAIL' },
      good: { a: 'ETIMEOUT', aaaa: ['2001:db8::1'] },
    }
    expect((await look('x.example', zone)).map(({ host }) => host)).toEqual(['good'])
  })

  it.each<[string, Zone, string, boolean]>([
    ['the domain does not exist', {}, 'MAIL_HOST_NOT_FOUND', false],
    ['the domain has neither MX nor address', { 'x.example': {} }, 'MAIL_HOST_NOT_FOUND', false],
    ['the domain takes no mail (null MX)', { 'x.example': { mx: [[0, '']], a: ['192.0.2.1'] } }, 'MAIL_NOT_ACCEPTED', false],
    ['the name server fails', { 'x.example': { mx: 'ESERVFAIL', a: ['192.0.2.1'] } }, 'DNS_UNAVAILABLE', true],
    ['the name server is silent', { 'x.example': { mx: 'ETIMEOUT' } }, 'DNS_UNAVAILABLE', true],
    [
      'no mail server has an address',
      {
        'x.example': {
          mx: [
            [5, 'a'],
            [5, 'b'],
          ],
        },
        b: {},
      },
      'MAIL_HOST_NOT_FOUND',
      false,
    ],
    [
      'one is absent and one unknown',
      {
        'x.example': {
          mx: [
            [5, 'a'],
            [5, 'b'],
          ],
        },
        b: { a: 'ESERVFAIL' },
      },
      'DNS_UNAVAILABLE',
      true,
    ],
    ['the implicit host cannot be looked up', { 'x.example': { a: 'ECONNREFUSED' } }, 'DNS_UNAVAILABLE', true],
    ['the MX is no name', { 'x.example': { mx: [[5, 'a b\u0000c']], a: ['192.0.2.1'] } }, 'MAIL_HOST_NOT_FOUND', false],
  ])('%s', async (_, zone, code, temporary) => {
    await expect(look('x.example', zone)).rejects.toMatchObject({ code, temporary })
  })

  it.each([
    ['[192.0.2.7]', '192.0.2.7', 4],
    ['[IPv6:2001:db8::7]', '2001:db8::7', 6],
  ])('%s is an address by itself', async (domain, address, family) => {
    expect(await look(domain, {})).toEqual([{ host: address, priority: 0, addresses: [{ address, family }] }])
  })

  it('are asked for by the ASCII form of the name', async () => {
    expect((await look('bücher.example', { 'xn--bcher-kva.example': { a: ['192.0.2.1'] } }))[0]?.host).toBe(
      'xn--bcher-kva.example',
    )
  })

  it.each(['', '.', 'a..b', 'a b', 'x\r\ny', '-'.repeat(300), '[nonsense]'])('%j is refused', async (domain) => {
    await expect(look(domain, {})).rejects.toMatchObject({ code: 'ADDRESS_INVALID', field: 'domain' })
  })
})

describe('a host that was named', () => {
  it('is looked up without MX, or is an address', async () => {
    const resolver = zoneResolver({ 'relay.example': { mx: [[1, 'other']], a: ['192.0.2.1'] } })
    expect((await resolveHost('relay.example', resolver)).addresses).toEqual([{ address: '192.0.2.1', family: 4 }])
    expect((await resolveHost('::1', resolver)).addresses).toEqual([{ address: '::1', family: 6 }])
    expect((await resolveHost('localhost', resolver)).addresses).toHaveLength(2)
    await expect(resolveHost('gone.example', resolver)).rejects.toMatchObject({ code: 'MAIL_HOST_NOT_FOUND' })
  })

  it("is looked up in the machine's own way where DNS does not know it, or there is none", async () => {
    const lookup = async () => ['192.0.2.5']
    expect((await resolveHost('relay', { ...zoneResolver({}), lookup })).addresses).toEqual([{ address: '192.0.2.5', family: 4 }])
    const noDns = () => Promise.reject(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))
    const withoutDns = { ...zoneResolver({}), resolve4: noDns, resolve6: noDns, lookup }
    expect((await resolveHost('relay', withoutDns)).addresses).toEqual([{ address: '192.0.2.5', family: 4 }])
    const nowhere = { ...zoneResolver({}), lookup: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })) }
    await expect(resolveHost('relay', nowhere)).rejects.toMatchObject({ code: 'MAIL_HOST_NOT_FOUND' })
  })

  it('is not looked up so where DNS is silent: that blocks, and a dead zone would hold up the tests of others', async () => {
    const silent = () => Promise.reject(Object.assign(new Error('x'), { code: 'ETIMEOUT' }))
    const lookup = () => Promise.reject(new Error('asked all the same'))
    const resolver = { ...zoneResolver({}), resolve4: silent, resolve6: silent, lookup }
    await expect(resolveHost('relay', resolver)).rejects.toMatchObject({ code: 'DNS_UNAVAILABLE' })
  })

  it('has the addresses of one family only where that is asked for, and no fault of the other', async () => {
    const both = zoneResolver({ 'relay.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] } })
    expect((await resolveHost('relay.example', both, 6)).addresses).toEqual([{ address: '2001:db8::1', family: 6 }])
    expect((await resolveHost('localhost', both, 4)).addresses).toEqual([{ address: '127.0.0.1', family: 4 }])
    const silent = () => Promise.reject(Object.assign(new Error('x'), { code: 'ETIMEOUT' }))
    const half = { ...both, resolve6: silent }
    expect((await resolveHost('relay.example', half, 4)).addresses).toHaveLength(1)
    await expect(resolveHost('relay.example', half, 6)).rejects.toMatchObject({ code: 'DNS_UNAVAILABLE' })
    await expect(resolveHost('192.0.2.1', both, 6)).rejects.toMatchObject({ code: 'MAIL_HOST_NOT_FOUND' })
  })
})
