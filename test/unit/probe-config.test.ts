import { describe, expect, it } from 'vitest'
import { errorMessage } from '../../common/errors.ts'
import { readProbeConfig } from '../../probe/config.ts'
import { Installation } from '../support/installation.ts'

const sound = {
  MAILSCOUT_COORDINATORS: 'wss://a.example/probe, ws://127.0.0.1:8080',
  MAILSCOUT_RETURN_ADDRESS: 'rt@eu.probe.example',
  MAILSCOUT_INBOX: 'smtp://0.0.0.0:2525',
}
const read = (changes: Record<string, string | undefined> = {}) => readProbeConfig({ ...sound, ...changes })
const faultOf = (environment: Record<string, string | undefined>): string => {
  try {
    readProbeConfig(environment)
  } catch (error) {
    return errorMessage(error)
  }
  throw new Error('The configuration passed')
}

describe("the probe's configuration", () => {
  it('needs three settings and has a default for every other', () => {
    expect(read()).toEqual({
      coordinators: ['wss://a.example/probe', 'ws://127.0.0.1:8080/probe'],
      enrolmentToken: undefined,
      returnAddress: 'rt@eu.probe.example',
      inbox: { kind: 'smtp', host: '0.0.0.0', port: 2525 },
      dnsServers: [],
      ntpServers: [{ host: 'pool.ntp.org', port: 123 }],
      allowTargets: [],
      dataDir: './data',
      logLevel: 'info',
      status: undefined,
    })
  })

  it('reports every fault at once', () => {
    const fault = faultOf({ MAILSCOUT_INBOX: 'http://x', MAILSCOUT_DNS: 'dns.example', LOG_LEVEL: 'loud', PORT: '0' })
    for (const name of ['COORDINATORS', 'RETURN_ADDRESS', 'INBOX', 'DNS']) expect(fault).toContain(`MAILSCOUT_${name} `)
    expect(fault).toContain('LOG_LEVEL must be one of')
    expect(fault).toContain('PORT must be a whole number')
  })

  it.each([
    ['smtp://127.0.0.1', { kind: 'smtp', host: '127.0.0.1', port: 25 }],
    ['smtp://[::]:2525', { kind: 'smtp', host: '::', port: 2525 }],
    [
      'imaps://rt%40probe.example:p%2Fw%20d@mail.example/Scout%20Mail',
      { host: 'mail.example', port: 993, secure: true, user: 'rt@probe.example', password: 'p/w d', mailbox: 'Scout Mail' },
    ],
    ['imap://u:p@mail.example:1143', { host: 'mail.example', port: 1143, secure: false, mailbox: 'INBOX' }],
  ])('reads the inbox %s', (text, expected) => {
    expect(read({ MAILSCOUT_INBOX: text }).inbox).toMatchObject(expected)
  })

  it('names no password and no token in a fault', () => {
    const fault = faultOf({ ...sound, MAILSCOUT_INBOX: 'pop3://u:hunter2@host', MAILSCOUT_ENROLMENT_TOKEN: 'mse1.secret' })
    expect(fault).not.toContain('hunter2')
    expect(fault).not.toContain('mse1.secret')
  })

  it('takes an enrolment token of the right form', () => {
    const { enrolmentToken } = new Installation()
    expect(read({ MAILSCOUT_ENROLMENT_TOKEN: enrolmentToken }).enrolmentToken).toBe(enrolmentToken)
  })

  it('takes servers with and without a port, and no clock check at all', () => {
    expect(read({ MAILSCOUT_DNS: '10.0.0.1 10.0.0.2:5353,fd00::1,[fd00::2]:5353' }).dnsServers).toEqual([
      '10.0.0.1',
      '10.0.0.2:5353',
      'fd00::1',
      '[fd00::2]:5353',
    ])
    expect(read({ MAILSCOUT_NTP: 'off' }).ntpServers).toEqual([])
    expect(read({ MAILSCOUT_NTP: 'time.example,10.0.0.1:1123' }).ntpServers).toEqual([
      { host: 'time.example', port: 123 },
      { host: '10.0.0.1', port: 1123 },
    ])
  })

  it('takes networks and single addresses as allowed targets, and nothing half right', () => {
    expect(read({ MAILSCOUT_ALLOW_TARGETS: '10.1.0.0/16,127.0.0.1,fd00::/8' }).allowTargets).toEqual([
      { address: '10.1.0.0', prefix: 16, family: 'ipv4' },
      { address: '127.0.0.1', prefix: 32, family: 'ipv4' },
      { address: 'fd00::', prefix: 8, family: 'ipv6' },
    ])
    for (const text of ['10.0.0.0/33', '10.0.0.0/', 'lan', '10.0.0.0/8/8', '10.0.0.0/x']) {
      expect(faultOf({ ...sound, MAILSCOUT_ALLOW_TARGETS: text })).toContain('MAILSCOUT_ALLOW_TARGETS must be networks')
    }
  })

  it('serves its state only where a port is given', () => {
    expect(read({ PORT: '9100', HOST: '127.0.0.1' }).status).toEqual({ host: '127.0.0.1', port: 9100 })
  })
})
