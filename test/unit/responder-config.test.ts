import { describe, expect, test } from 'vitest'
import { deliveryOf } from '../../responder/answer.ts'
import { parseResponderConfig } from '../../responder/config.ts'
import { root } from '../support/mails.ts'

const good = { root_keys: [root.x], return_domains: ['Probe.example'] }
const parse = (changes: object) => parseResponderConfig(JSON.stringify({ ...good, ...changes }))

describe('responder.json', () => {
  test('needs keys and domains only', () => {
    expect(parse({})).toEqual({
      rootKeysX: [root.x],
      returnDomains: ['probe.example'],
      addresses: [],
      from: undefined,
      submission: { kind: 'sendmail', paths: ['/usr/sbin/sendmail', '/usr/lib/sendmail'] },
      stateDir: undefined,
      dns: [],
    })
  })

  test.each<[object, object]>([
    [{ sendmail: '/opt/bin/sendmail' }, { kind: 'sendmail', paths: ['/opt/bin/sendmail'] }],
    [{ submit: 'mx' }, { kind: 'mx' }],
    [{ submit: { host: '127.0.0.1' } }, { kind: 'host', host: '127.0.0.1', port: 25, tls: 'opportunistic' }],
    [
      { submit: { host: 'relay.example', port: 587, tls: 'required' } },
      { kind: 'host', host: 'relay.example', port: 587, tls: 'required' },
    ],
    [
      { submit: { routes: { 'Probe.example': '127.0.0.1:2525' } } },
      { kind: 'routes', routes: new Map([['probe.example', { host: '127.0.0.1', port: 2525 }]]) },
    ],
  ])('%j', (changes, submission) => {
    expect(parse(changes).submission).toEqual(submission)
  })

  test.each<[object, string]>([
    [{ root_keys: [] }, 'root_keys'],
    [{ root_keys: ['short'] }, 'root_keys'],
    [{ root_keys: root.x }, 'root_keys'],
    [{ return_domains: ['example'] }, 'return_domains'],
    [{ return_domains: ['*.probe.example'] }, 'return_domains'],
    [{ addresses: ['nobody'] }, 'addresses'],
    [{ from: 'a@b.example\r\nBcc: x@y.example' }, 'from'],
    [{ adresses: ['scout@customer.example'] }, 'adresses'],
    [{ sendmail: 'sendmail' }, 'sendmail'],
    [{ sendmail: '/usr/sbin/sendmail', submit: 'mx' }, 'submit, sendmail'],
    [{ submit: 'smtp' }, 'submit'],
    [{ submit: { host: 'a b' } }, 'submit.host'],
    [{ submit: { host: 'a', port: 0 } }, 'submit.port'],
    [{ submit: { host: 'a', tls: 'maybe' } }, 'submit.tls'],
    [{ submit: { host: 'a', user: 'x' } }, 'submit.user'],
    [{ submit: { routes: {} } }, 'submit.routes'],
    [{ submit: { routes: { 'a.example': 'x:99999' } } }, 'submit.routes'],
    [{ state_dir: 'relative' }, 'state_dir'],
    [{ dns: ['dns.example'] }, 'dns'],
  ])('%j is refused by name', (changes, name) => {
    expect(() => parse(changes)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(`\n  ${name}`) }),
    )
  })

  test('tells every fault at once', () => {
    expect(() => parse({ root_keys: [], from: 'x', dns: 'y' })).toThrow(/3 fault\(s\):\n {2}root_keys.*\n {2}from.*\n {2}dns/)
  })

  test.each(['', '{', '[]', 'null', '"x"'])('%j is refused', (text) => {
    expect(() => parseResponderConfig(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})

describe('the delivery is known from', () => {
  test.each<[string, Record<string, string>, object]>([
    [
      'Postfix',
      { SENDER: 'a@b.example', RECIPIENT: 'u@c.example', ORIGINAL_RECIPIENT: 'alias@c.example' },
      { sender: 'a@b.example', recipients: ['alias@c.example', 'u@c.example'] },
    ],
    [
      'Exim',
      { SENDER: 'a@b.example', LOCAL_PART: 'u', DOMAIN: 'c.example' },
      { sender: 'a@b.example', recipients: ['u@c.example'] },
    ],
    ['Exim, null sender', { SENDER: '', LOCAL_PART: 'u', DOMAIN: 'c.example' }, { sender: '', recipients: ['u@c.example'] }],
    ['sendmail, which says nothing', {}, { recipients: [] }],
  ])('%s', (_, environment, delivery) => {
    expect(deliveryOf(environment)).toEqual(delivery)
  })
})
