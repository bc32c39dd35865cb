import { createSocket } from 'node:dgram'
import { createSecureContext } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../common/runtime.ts'
import { checkTarget, createAddressPolicy } from '../../common/smtp/address-policy.ts'
import { createResolver, type MailHost, type MailResolver } from '../../common/smtp/mx.ts'
import { type DeliveryOptions, deliverToHosts, submitByMx, submitMail } from '../../common/smtp/submit.ts'
import { makeCertificate } from '../support/certificate.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { acceptingScript, type Step, scriptServer } from '../support/smtp-script-server.ts'

const base = (port: number): DeliveryOptions => ({
  port,
  heloName: 'eu.probe.example',
  tls: 'opportunistic',
  envelope: { from: 'rt@probe.example', to: 'scout@customer.example' },
  message: Buffer.from('Subject: x\r\n\r\n'),
  deadlineMs: 20_000,
  runtime: systemRuntime,
})
const host = (name: string, ...addresses: string[]): MailHost => ({
  host: name,
  priority: 10,
  addresses: addresses.map((address) => ({ address, family: 4 })),
})
/** The script server listens on 127.0.0.1 alone: another loopback address refuses. */
const dead = '127.0.0.3'
const refuse = (say: string): Step[] => [{ say }]

describe('handing over to one of several addresses', () => {
  it('goes on from one that does not answer to the next, and tells', async () => {
    await using server = await scriptServer(acceptingScript())
    const delivered = await deliverToHosts([host('a.example', dead), host('b.example', '127.0.0.1')], base(server.port))
    expect(delivered).toMatchObject({ host: 'b.example', address: '127.0.0.1', reply: { code: 250 } })
    expect(delivered.attempts.map(({ host, outcome }) => `${host} ${outcome}`)).toEqual([
      expect.stringMatching(/^a\.example connect: .*ECONNREFUSED/),
      'b.example accepted',
    ])
  })

  it.each<[string, Step[]]>([
    ['a greeting of 554', refuse('554 5.3.2 no service')],
    ['a greeting of 421', refuse('421 4.3.2 too busy')],
    ['a recipient deferred', acceptingScript({ rcpt: { expect: /^RCPT/, say: '450 4.2.0 greylisted' } }).slice(0, 4)],
    ['a connection lost', acceptingScript({ mail: { expect: /^MAIL/, close: 'end' } }).slice(0, 3)],
  ])('goes on after %s', async (_, script) => {
    await using server = await scriptServer(script, acceptingScript())
    const delivered = await deliverToHosts([host('a.example', '127.0.0.1', '127.0.0.1')], base(server.port))
    expect(delivered.attempts).toHaveLength(2)
  })

  it.each<[string, Step[], object]>([
    [
      'the recipient is refused for good',
      acceptingScript({ rcpt: { expect: /^RCPT/, say: '550 5.1.1 nobody' } }).slice(0, 4),
      { category: 'permanent', reply: { code: 550 } },
    ],
    [
      'the mail may have been taken',
      acceptingScript({ accept: { expect: /^/, close: 'end' } }),
      { category: 'connection', acceptedUnknown: true },
    ],
  ])('stops where %s', async (_, script, expected) => {
    await using server = await scriptServer(script, acceptingScript())
    const sending = deliverToHosts([host('a.example', '127.0.0.1', '127.0.0.1')], base(server.port))
    await expect(sending).rejects.toMatchObject(expected)
    expect(server.connections()).toBe(1)
  })

  it('reports the most telling failure, with all attempts', async () => {
    await using server = await scriptServer(refuse('450 4.7.1 later'), refuse('nonsense'))
    const sending = deliverToHosts([host('a.example', dead, '127.0.0.1', '127.0.0.1', dead)], base(server.port))
    await expect(sending).rejects.toMatchObject({ category: 'temporary', reply: { code: 450 }, attempts: { length: 4 } })
  })

  it('has one deadline for all of them', async () => {
    const runtime = new FakeRuntime()
    await using server = await scriptServer(acceptingScript({ mail: { expect: /^MAIL/, stall: true } }))
    const sending = deliverToHosts([host('a.example', '127.0.0.1', '127.0.0.1')], { ...base(server.port), runtime })
    const outcome = expect(sending).rejects.toMatchObject({ category: 'deadline', stage: 'mail', attempts: { length: 1 } })
    await server.stalled
    await runtime.advanceAsync(20_000)
    await outcome
    expect(runtime.timerCount).toBe(0)
  })

  it('connects to no address that the policy refuses', async () => {
    await using server = await scriptServer(acceptingScript())
    const policy = createAddressPolicy()
    const options = { ...base(server.port), admit: (address: string, port: number) => checkTarget(address, port, policy) }
    await expect(deliverToHosts([host('a.example', '127.0.0.1')], options)).rejects.toMatchObject({
      code: 'TARGET_FORBIDDEN',
      message: expect.stringMatching(/127\.0\.0\.1 is this machine itself/),
    })
    expect(server.connections()).toBe(0)
  })

  const certificate = makeCertificate()
  it.skipIf(certificate === undefined)('tries in plain text where TLS is broken and was only wished for', async () => {
    const context = createSecureContext({
      ...certificate,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    const starttls: Step[] = [
      { say: '220 mx' },
      { expect: /^EHLO/, say: '250-mx\r\n250 STARTTLS' },
      { expect: /^STARTTLS/, say: '220 go', tls: context },
    ]
    await using server = await scriptServer(starttls, acceptingScript(), starttls)
    const delivered = await deliverToHosts([host('a.example', '127.0.0.1')], base(server.port))
    expect(delivered.tls).toBeUndefined()
    expect(delivered.attempts.map(({ outcome }) => outcome.slice(0, 8))).toEqual(['tls: TLS', 'accepted'])
    const required = deliverToHosts([host('a.example', '127.0.0.1')], { ...base(server.port), tls: 'required' })
    await expect(required).rejects.toMatchObject({ category: 'tls', attempts: { length: 1 } })
  })
})

describe('finding the server first', () => {
  it('submits to a host that was named', async () => {
    await using server = await scriptServer(acceptingScript())
    const delivered = await submitMail({ ...base(server.port), host: 'localhost' })
    expect(delivered).toMatchObject({ host: 'localhost', address: '127.0.0.1' })
  })

  it("follows the MX of the recipient's domain", async () => {
    await using server = await scriptServer(acceptingScript())
    const resolver: MailResolver = {
      resolveMx: async (domain) => [{ exchange: `mx.${domain}`, priority: 5 }],
      resolve4: async () => ['127.0.0.1'],
      resolve6: async () => [],
    }
    expect((await submitByMx({ ...base(server.port), resolver })).host).toBe('mx.customer.example')
  })

  it('ends at the deadline when DNS is silent', async () => {
    const runtime = new FakeRuntime()
    const silent = () => new Promise<never>(() => {})
    const resolver: MailResolver = { resolveMx: silent, resolve4: silent, resolve6: silent }
    const outcome = expect(submitByMx({ ...base(25), runtime, resolver })).rejects.toMatchObject({ code: 'DNS_UNAVAILABLE' })
    await runtime.advanceAsync(20_000)
    await outcome
  })

  it('asks the DNS servers it was given, on their port, and takes their refusal as temporary', async () => {
    const asked: string[] = []
    const server = createSocket('udp4')
    server.on('message', (query, from) => {
      asked.push(query.subarray(13, 13 + (query[12] ?? 0)).toString())
      const answer = Buffer.from(query)
      answer.writeUInt16BE(0x8185, 2) // a response, REFUSED
      server.send(answer, from.port, from.address)
    })
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
    const resolver = createResolver([`127.0.0.1:${server.address().port}`], 1000)
    await expect(submitByMx({ ...base(25), resolver })).rejects.toMatchObject({ code: 'DNS_UNAVAILABLE', temporary: true })
    expect(new Set(asked)).toEqual(new Set(['customer']))
    await new Promise<void>((resolve) => server.close(resolve))
  })
})
