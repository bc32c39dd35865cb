import { describe, expect, test } from 'vitest'
import { SettingsReader } from '../../common/config.ts'
import { createGateways, defaultGateways, parseGateways } from '../../coordinator/gateways/config.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

const good = { kind: 'http', url: 'http://127.0.0.1:13013/cgi-bin/sendsms?username=u&password=p&to={to}&text={text}' }
const faultsOf = (value: unknown): string => {
  try {
    parseGateways(typeof value === 'string' ? value : JSON.stringify(value))
  } catch (error) {
    return String(error)
  }
  return ''
}

describe('MAILSCOUT_SMS_GATEWAYS', () => {
  test('keeps the order, and names a gateway after its kind where it has no name', () => {
    const gateways = parseGateways(JSON.stringify([{ ...good, name: 'kannel' }, { kind: 'console' }]))
    expect(gateways.map(({ name, kind }) => [name, kind])).toEqual([
      ['kannel', 'http'],
      ['console', 'console'],
    ])
    expect(createGateways(gateways, { runtime: new FakeRuntime(), write: () => {} }).map(({ name }) => name)).toEqual([
      'kannel',
      'console',
    ])
  })

  test('is the console where nothing is set', () => {
    expect(defaultGateways).toEqual([{ kind: 'console', name: 'console' }])
  })

  const faults: [string, unknown, ...string[]][] = [
    ['no JSON', '[{"kind": secret}]', 'is not JSON'],
    ['no array', { kind: 'console' }, 'must be a JSON array of 1 to 10'],
    ['an empty array', [], 'must be a JSON array of 1 to 10'],
    ['an unknown kind', [{ kind: 'pigeon' }], '[0].kind must be one of console, http, not "pigeon"'],
    ['a kind of the object prototype', [{ kind: 'toString' }], '[0].kind must be one of console, http'],
    ['no kind', [{}, null, 7], '[0].kind must be', '[1].kind must be', '[2].kind must be'],
    ['a misspelt field', [{ ...good, methd: 'GET' }], '[0] has unknown fields: methd'],
    ['a wrong method', [{ ...good, method: 'DELETE' }], '[0].method'],
    ['a name that cannot stand in a metric', [{ ...good, name: 'Über Gateway' }], '[0].name'],
    ['the same name twice', [good, good], '[1].name must differ from that of [0]'],
    ['another protocol', [{ ...good, url: 'ftp://host/{to}{text}' }], '[0].url must be an http://'],
    ['a placeholder in the host', [{ ...good, url: 'http://{to}.example/?text={text}' }], '[0].url must be an http://'],
    [
      'an unknown placeholder',
      [{ ...good, url: 'http://host/?to={phone}&text={text}' }],
      'unknown placeholder {phone}',
      'must contain {to}',
    ],
    ['a message that is not in it', [{ kind: 'http', url: 'http://host/?to={to}' }], 'must contain {text}'],
    ['free text in a header', [{ ...good, headers: { 'x-text': '{text}' } }], '[0].headers.x-text must not contain {text}'],
    ['a line end in a header', [{ ...good, headers: { 'x-a': 'a\r\nb: c' } }], '[0].headers.x-a must be printable ASCII'],
    ['a body with GET', [{ ...good, method: 'GET', body: { a: '{to}' } }], '[0].body needs the method POST or PUT'],
    ['a text body of unknown type', [{ ...good, body: 'x' }], 'must give the content-type of .body'],
    ['a broken pattern', [{ ...good, success: { body: '(' }, provider_id: '[' }], '.success.body is not', '.provider_id is not'],
  ]
  test.each(faults)('%s is refused with its place', (_, value, ...words) => {
    const told = faultsOf(value)
    for (const word of words) expect(told).toContain(word)
  })

  test('all faults are told at once, and no value with a password is', () => {
    const told = faultsOf([
      { kind: 'http', url: 'http://host/?password=hunter2', metod: 1 },
      { kind: 'http', url: 'http://host/?password=hunter2&to={to}', headers: { authorization: 'Bearer hunter2\n' } },
      { kind: 'pigeon' },
    ])
    expect(told).toMatch(/\[0\].*\[1\].*\[2\]/)
    expect(told).not.toContain('hunter2')
    expect(faultsOf('[{"password": hunter2}]')).not.toContain('hunter2')
  })

  test('fits the settings reader, which names the variable', () => {
    const reader = new SettingsReader({ MAILSCOUT_SMS_GATEWAYS: '[{"kind":"pigeon"}]' })
    expect(reader.parsed('MAILSCOUT_SMS_GATEWAYS', defaultGateways, parseGateways)).toBe(defaultGateways)
    expect(() => reader.finish()).toThrow(
      'MAILSCOUT_SMS_GATEWAYS has 1 fault(s): [0].kind must be one of console, http, not "pigeon"',
    )
  })
})
