import { describe, expect, it } from 'vitest'
import { backoffMs, clientOptions, imapMessage } from '../../probe/imap-client.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

const account = { host: 'mail.example', port: 993, secure: true, user: 'u', password: 'secret' }

describe('connecting to the return mailbox', () => {
  it('verifies certificates and bounds what the server may send', () => {
    expect(clientOptions(account)).toMatchObject({ tls: { rejectUnauthorized: true }, maxLiteralSize: 512 * 1024, logger: false })
    expect(clientOptions({ ...account, ca: 'PEM' }).tls).toEqual({ rejectUnauthorized: true, ca: 'PEM' })
  })

  it.each([
    [1, 1000],
    [2, 2000],
    [5, 16_000],
    [7, 60_000],
    [1000, 60_000],
  ])('after %i failures waits half to all of %i ms', (failures, wholeMs) => {
    const runtime = new FakeRuntime()
    const pauses = Array.from({ length: 20 }, () => backoffMs(failures, new Error('x'), runtime))
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(wholeMs / 2)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(wholeMs)
    expect(new Set(pauses).size).toBeGreaterThan(10)
  })

  it('waits minutes after a refused login, or the provider locks the account', () => {
    const refused = Object.assign(new Error('Command failed'), { authenticationFailed: true })
    expect(backoffMs(1, refused, new FakeRuntime())).toBeGreaterThanOrEqual(150_000)
  })

  it('says what the server said, bounded and without control characters', () => {
    const fault = Object.assign(new Error('Command failed'), { responseText: `no\r\n\u001b[31mred${'x'.repeat(999)}` })
    expect(imapMessage(fault)).toMatch(/^Command failed: no {3}\[31mred/)
    expect(imapMessage(fault)).toHaveLength(300)
  })
})
