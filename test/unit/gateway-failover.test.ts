import { describe, expect, test } from 'vitest'
import { MailscoutError } from '../../common/errors.ts'
import { createConsoleGateway } from '../../coordinator/gateways/console.ts'
import { sendThrough, unknownLast } from '../../coordinator/gateways/failover.ts'
import type { Gateway } from '../../coordinator/gateways/gateway.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

const sms = { to: '+61400000000', text: 'MAIL DOWN', reference: 'page-1' }

type Behaviour = 'accepts' | 'refuses' | 'is unavailable' | 'leaves us in doubt' | 'has a bug'

function gatewayThat(behaviour: Behaviour, name: string, asked: string[]): Gateway {
  return {
    name,
    kind: 'test',
    async send() {
      asked.push(name)
      if (behaviour === 'refuses') throw new MailscoutError('GATEWAY_REFUSED', 'no')
      if (behaviour === 'is unavailable') throw new MailscoutError('GATEWAY_UNAVAILABLE', 'later')
      if (behaviour === 'leaves us in doubt') throw new MailscoutError('GATEWAY_OUTCOME_UNKNOWN', 'perhaps')
      if (behaviour === 'has a bug') throw new TypeError('undefined is not a function')
      return { providerId: `${name}-1` }
    },
  }
}

const table: [Behaviour[], string[], object][] = [
  [['accepts', 'accepts'], ['a'], { outcome: 'accepted', gateway: 'a', providerId: 'a-1' }],
  [['is unavailable', 'accepts'], ['a', 'b'], { outcome: 'accepted', gateway: 'b', providerId: 'b-1' }],
  [['refuses', 'accepts'], ['a', 'b'], { outcome: 'accepted', gateway: 'b' }],
  [['leaves us in doubt', 'accepts'], ['a'], { outcome: 'unknown', gateway: 'a' }],
  [['has a bug', 'accepts'], ['a'], { outcome: 'unknown', gateway: 'a' }],
  [['is unavailable', 'leaves us in doubt'], ['a', 'b'], { outcome: 'unknown', gateway: 'b' }],
  [['refuses', 'refuses'], ['a', 'b'], { outcome: 'failed', temporary: false }],
  [['refuses', 'is unavailable'], ['a', 'b'], { outcome: 'failed', temporary: true }],
  [['is unavailable', 'refuses'], ['a', 'b'], { outcome: 'failed', temporary: true }],
  [[], [], { outcome: 'failed', temporary: true }],
]

describe('sending through several gateways', () => {
  test.each(table)('%j: asked %j', async (behaviours, expectedAsked, expected) => {
    const asked: string[] = []
    const gateways = behaviours.map((behaviour, index) => gatewayThat(behaviour, 'ab'[index] ?? '', asked))
    const delivery = await sendThrough(gateways, sms, { runtime: new FakeRuntime() })
    expect(delivery).toMatchObject(expected)
    expect(asked).toEqual(expectedAsked)
    expect(delivery.attempts.map(({ gateway }) => gateway)).toEqual(expectedAsked)
  })

  test('an attempt has its words and its time', async () => {
    const runtime = new FakeRuntime()
    const slow: Gateway = {
      name: 'slow',
      kind: 'test',
      async send() {
        runtime.advance(1500)
        throw new MailscoutError('GATEWAY_UNAVAILABLE', 'later')
      },
    }
    const { attempts } = await sendThrough([slow], sms, { runtime })
    expect(attempts).toEqual([{ gateway: 'slow', outcome: 'unavailable', durationMs: 1500, error: 'later' }])
  })

  test('a repeat asks the doubtful gateway last', () => {
    const gateways = ['a', 'b', 'c'].map((name) => gatewayThat('accepts', name, []))
    expect(unknownLast(gateways, 'a').map(({ name }) => name)).toEqual(['b', 'c', 'a'])
  })
})

describe('the console gateway', () => {
  const print = async (text: string) => {
    let printed = ''
    await createConsoleGateway('console', (piece) => {
      printed += piece
    }).send({ ...sms, text })
    return printed
  }

  test('prints a frame that a person can read', async () => {
    const text = 'MAIL DOWN demo.example since 12:00 UTC. No mail came back to eu, us (lost). Code K7QX. http://localhost:8080/'
    expect(await print(text)).toBe(`
┌─ SMS to +61400000000 ────────────────────────────────────────────┐
│ MAIL DOWN demo.example since 12:00 UTC. No mail came back to eu, │
│ us (lost). Code K7QX. http://localhost:8080/                     │
└─ reference page-1 ───────────────────────────────────────────────┘

`)
  })

  test('loses no character of a word that is longer than a line', async () => {
    const word = 'x'.repeat(150)
    expect((await print(`a ${word} b`)).match(/x/g)).toHaveLength(150)
  })

  test('sends no control characters to the terminal', async () => {
    const printed = await print('a\u001b[2Jb\u0007\u202ec')
    expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(printed).toContain('│ a [2Jb  c ')
  })
})
