import { describe, expect, it } from 'vitest'
import { checkTarget, createAddressPolicy } from '../../common/smtp/address-policy.ts'

const none = createAddressPolicy()
const check = (address: string, port = 25, policy = none) => checkTarget(address, port, policy).allowed

describe('which addresses may be connected to', () => {
  it.each([
    '8.8.8.8',
    '93.184.216.34',
    '2a00:1450::1',
    '2606:4700:4700::1111',
    '64:ff9b::808:808',
    '2002:808:808::1',
    '::ffff:8.8.8.8',
  ])('%s may', (address) => {
    expect(checkTarget(address, 25, none)).toEqual({ allowed: true })
  })

  it.each([
    '127.0.0.1',
    '127.8.9.10',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.1.1',
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    '192.0.2.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%lo',
    'fd00::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    'fec0::1',
    '100::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:10.0.0.1',
    '0:0:0:0:0:ffff:a00:1',
    '::ffff:169.254.169.254',
    '::127.0.0.1',
    '::a00:1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::8.8.8.8',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::',
    '2002:0a00:0001::1',
    '2001:0:4136:e378::1',
    'localhost',
    '',
    '1',
    '0x7f.1',
    '2130706433',
    '127.1',
    '[::1]',
  ])('%j may not', (address) => {
    expect(checkTarget(address, 25, none)).toMatchObject({ allowed: false, reason: expect.stringMatching(/./) })
  })

  it('says why', () => {
    expect(checkTarget('10.0.0.1', 25, none)).toEqual({
      allowed: false,
      reason: '10.0.0.1 is a private network, not a public mail server',
    })
    expect(checkTarget('169.254.169.254', 25, none)).toEqual({ allowed: false, reason: '169.254.169.254 is a metadata service' })
  })

  it('only on mail ports', () => {
    for (const port of [25, 465, 587, 993, 995, 143, 110]) expect(check('8.8.8.8', port)).toBe(true)
    for (const port of [22, 80, 443, 0, -1, 65_536, 2.5, Number.NaN]) expect(check('8.8.8.8', port)).toBe(false)
  })
})

describe('private networks that are allowed', () => {
  const policy = createAddressPolicy(['127.0.0.0/8', ' 10.1.0.0/16', '192.168.7.7', 'fd00:1::/32', '169.254.0.0/16', '::/0'])

  it('may be targets, on any port', () => {
    for (const address of ['127.0.0.1', '10.1.2.3', '192.168.7.7', 'fd00:1::5', '::ffff:10.1.2.3']) {
      expect(check(address, 2525, policy)).toBe(true)
    }
  })

  it('open no others', () => {
    for (const address of ['10.2.0.1', '192.168.7.8', '::ffff:10.2.0.1']) expect(check(address, 25, policy)).toBe(false)
  })

  it('never open a metadata service', () => {
    const all = createAddressPolicy(['0.0.0.0/0', '::/0'])
    for (const address of [
      '169.254.169.254',
      '168.63.129.16',
      '100.100.100.200',
      '192.0.0.192',
      'fd00:ec2::254',
      '::ffff:a9fe:a9fe',
      '64:ff9b::a9fe:a9fe',
      '2002:a9fe:a9fe::1',
    ]) {
      expect(check(address, 25, all)).toBe(false)
    }
  })

  it('are not reached through machines of others', () => {
    const onlyTen = createAddressPolicy(['10.0.0.0/8'])
    expect(check('64:ff9b::a00:1', 25, onlyTen)).toBe(false)
    expect(check('2002:a00:1::1', 25, onlyTen)).toBe(false)
  })

  it.each(['10.0.0.0/33', '10.0.0/8', 'example.org', '::/129', '10.0.0.0/-1', '10.0.0.0/8/9', '10.0.0.0/', ''])(
    '%j is no network',
    (network) => {
      expect(() => createAddressPolicy([network])).toThrow(/must hold networks like/)
    },
  )
})
