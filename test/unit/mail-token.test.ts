import { createHmac, sign as cryptoSign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { MailscoutError } from '../../common/errors.ts'
import { publicKeyFromX, sign, thumbprint, verify } from '../../common/mail/jws.ts'
import {
  envelopeId,
  mintCertificate,
  mintToken,
  recipientHash,
  returnDomainPinned,
  testOfEnvelopeId,
  timeliness,
  verifyCertificate,
  verifyToken,
} from '../../common/mail/token.ts'
import {
  type Changes,
  claimsOf,
  makeKeys,
  makeToken,
  nowMs,
  nowS,
  probe,
  probeId,
  returnAddress,
  root,
  tid,
} from '../support/mails.ts'

const stranger = makeKeys()

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as MailscoutError).code
  }
  return 'nothing thrown'
}

const b64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const handMade = (header: object, payload: unknown, key = root.privateKey) => {
  const input = `${b64(header)}.${b64(payload)}`
  return `${input}.${cryptoSign(null, Buffer.from(input), key).toString('base64url')}`
}

describe('jws', () => {
  const kid = thumbprint(root.x)
  const expected = { typ: 'a+jws', publicKeyOf: (asked: string) => (asked === kid ? publicKeyFromX(root.x) : undefined) }
  const header = { alg: 'Ed25519', typ: 'a+jws', kid }
  const good = sign({ typ: 'a+jws', kid }, { n: 1 }, root.privateKey)
  const [h = '', p = '', s = ''] = good.split('.')

  test('what was signed is read back', () => {
    expect(verify(good, expected)).toEqual({ kid, payload: { n: 1 } })
    expect(JSON.parse(Buffer.from(h, 'base64url').toString())).toEqual(header)
  })

  test('the thumbprint is the one of RFC 8037 appendix A.3', () => {
    expect(thumbprint('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo')).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  test('the older algorithm name EdDSA is accepted', () => {
    expect(verify(handMade({ ...header, alg: 'EdDSA' }, { n: 1 }), expected).payload).toEqual({ n: 1 })
  })

  test.each<[string, string, string]>([
    ['two parts', `${h}.${p}`, 'DOCUMENT_MALFORMED'],
    ['four parts', `${good}.${s}`, 'DOCUMENT_MALFORMED'],
    ['an empty part', `${h}..${s}`, 'SIGNATURE_INVALID'],
    ['padding', `${h}.${p}.${s}=`, 'DOCUMENT_MALFORMED'],
    ['a blank inside', `${h}.${p}.${s.slice(0, 40)} ${s.slice(40)}`, 'DOCUMENT_MALFORMED'],
    ['more than 2 KiB', handMade(header, { text: 'x'.repeat(2000) }), 'DOCUMENT_MALFORMED'],
    ['alg none', handMade({ ...header, alg: 'none' }, { n: 1 }), 'DOCUMENT_MALFORMED'],
    ['alg none without signature', `${b64({ ...header, alg: 'none' })}.${p}.`, 'DOCUMENT_MALFORMED'],
    ['a crit header', handMade({ ...header, crit: ['exp'] }, { n: 1 }), 'DOCUMENT_MALFORMED'],
    [
      'a key of its own',
      handMade({ ...header, jwk: { kty: 'OKP', crv: 'Ed25519', x: stranger.x } }, { n: 1 }),
      'DOCUMENT_MALFORMED',
    ],
    ['no kid', handMade({ alg: 'Ed25519', typ: 'a+jws' }, { n: 1 }), 'DOCUMENT_MALFORMED'],
    ['another type', handMade({ ...header, typ: 'b+jws' }, { n: 1 }), 'DOCUMENT_TYPE_WRONG'],
    [
      'a key that is not trusted',
      handMade({ ...header, kid: thumbprint(stranger.x) }, { n: 1 }, stranger.privateKey),
      'ISSUER_UNKNOWN',
    ],
    ['the signature of a stranger', handMade(header, { n: 1 }, stranger.privateKey), 'SIGNATURE_INVALID'],
    ['a changed payload', `${h}.${b64({ n: 2 })}.${s}`, 'SIGNATURE_INVALID'],
    ['a payload that is no JSON', handMade(header, 'not json'), 'DOCUMENT_MALFORMED'],
    ['a payload that is a list', handMade(header, [1]), 'DOCUMENT_MALFORMED'],
    ['a header that is no object', `${b64('"x"')}.${p}.${s}`, 'DOCUMENT_MALFORMED'],
  ])('%s is refused', (_, text, code) => {
    expect(codeOf(() => verify(text, expected))).toBe(code)
  })

  test('a secret made of the public key opens nothing (HS256 confusion)', () => {
    const input = `${b64({ ...header, alg: 'HS256' })}.${p}`
    const mac = createHmac('sha256', root.x).update(input).digest('base64url')
    expect(codeOf(() => verify(`${input}.${mac}`, expected))).toBe('DOCUMENT_MALFORMED')
  })

  test('no single changed character of a document gets through', () => {
    for (let at = 0; at < good.length; at++) {
      const changed = `${good.slice(0, at)}${good[at] === 'A' ? 'B' : 'A'}${good.slice(at + 1)}`
      expect(
        codeOf(() => verify(changed, expected)),
        `character ${at}`,
      ).not.toBe('nothing thrown')
    }
  })

  test('a second spelling of the same signature is refused', () => {
    // 86 characters hold 516 bits for 512: the last character has four spare bits.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = `${good.slice(0, -1)}${alphabet[alphabet.indexOf(good.slice(-1)) + 1]}`
    expect(Buffer.from(twin.split('.')[2] ?? '', 'base64url')).toEqual(Buffer.from(s, 'base64url'))
    expect(codeOf(() => verify(twin, expected))).toBe('DOCUMENT_MALFORMED')
  })
})

describe('certificate and token', () => {
  test('what a probe minted is read back with its certificate', () => {
    const text = makeToken()
    const verified = verifyToken(text, [stranger.x, root.x])
    expect(verified.token).toEqual(claimsOf())
    expect(verified.certificate).toMatchObject({ v: 1, sub: probeId, x: probe.x, ret: returnAddress })
    expect(verified.text).toBe(text)
  })

  test('two copies of the longest token leave the mail below 8 KiB', () => {
    const ret = `${'r'.repeat(64)}@${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(57)}.ex`
    const text = makeToken({ ret, mon: 'm'.repeat(64), mid: `<${'i'.repeat(120)}@${'d'.repeat(120)}>` })
    expect(text.length).toBeLessThan(3072)
    expect(verifyToken(text, [root.x]).token.ret).toBe(ret)
  })

  test.each<[string, Changes, string]>([
    ['certified by another root', { rootKey: stranger }, 'ISSUER_UNKNOWN'],
    ['signed by a key that is not certified', { probeKey: stranger, certifiedKey: probe }, 'ISSUER_UNKNOWN'],
    ['with a return address beyond the certificate', { certificateRet: 'rt@us.probe.example' }, 'CERTIFICATE_INVALID'],
    ['with a return address in another case', { certificateRet: 'RT@eu.probe.example' }, 'CERTIFICATE_INVALID'],
    ['for another probe', { prb: '019ab0c0-0000-7000-8000-00000000000b' }, 'CERTIFICATE_INVALID'],
  ])('a token %s is refused', (_, changes, code) => {
    expect(codeOf(() => verifyToken(makeToken(changes), [root.x]))).toBe(code)
  })

  test('without a root key nothing verifies', () => {
    expect(codeOf(() => verifyToken(makeToken(), []))).toBe('ISSUER_UNKNOWN')
  })

  test('certificate and token do not pass for each other', () => {
    const [certificate = '', token = ''] = makeToken().split('~')
    expect(codeOf(() => verifyToken(`${token}~${certificate}`, [root.x]))).toBe('DOCUMENT_TYPE_WRONG')
    expect(codeOf(() => verifyToken(`${certificate}~${certificate}`, [root.x]))).toBe('DOCUMENT_TYPE_WRONG')
    expect(codeOf(() => verifyCertificate(token, [root.x]))).toBe('DOCUMENT_TYPE_WRONG')
    expect(codeOf(() => verifyToken(certificate, [root.x]))).toBe('DOCUMENT_MALFORMED')
    expect(codeOf(() => verifyToken(`${certificate}~${token}~${token}`, [root.x]))).toBe('DOCUMENT_MALFORMED')
  })

  test('a token of one certificate does not go with another', () => {
    const [certificate = ''] = makeToken({ probeKey: stranger }).split('~')
    const [, token = ''] = makeToken().split('~')
    expect(codeOf(() => verifyToken(`${certificate}~${token}`, [root.x]))).toBe('ISSUER_UNKNOWN')
  })

  test.each<[string, object, string]>([
    ['an unknown version', { v: 2 }, 'VERSION_UNSUPPORTED'],
    ['no version', { v: undefined }, 'VERSION_UNSUPPORTED'],
    ['a test id that is a path', { tid: '../../../../etc/passwd/aaaaaaaaaaaaa' }, 'DOCUMENT_MALFORMED'],
    ['a return address that injects', { ret: 'a@b.example\r\nBcc: c@d.example' }, 'DOCUMENT_MALFORMED'],
    ['a return address that is an option', { ret: '-oQ/tmp@b.example' }, 'DOCUMENT_MALFORMED'],
    ['a Message-ID that injects', { mid: '<a@b>\r\nX: y' }, 'DOCUMENT_MALFORMED'],
    ['a fraction of a second', { iat: 1.5 }, 'DOCUMENT_MALFORMED'],
    ['an end before its beginning', { exp: 1 }, 'DOCUMENT_MALFORMED'],
    ['attempt 0', { att: 0 }, 'DOCUMENT_MALFORMED'],
    ['a hash that is none', { rcpt: 'x' }, 'DOCUMENT_MALFORMED'],
    ['a monitor of 65 characters', { mon: 'm'.repeat(65) }, 'DOCUMENT_MALFORMED'],
    ['a number for the probe', { prb: 7 }, 'DOCUMENT_MALFORMED'],
  ])('a genuinely signed token with %s is refused', (_, changes, code) => {
    const [certificate = ''] = makeToken().split('~')
    const header = { alg: 'Ed25519', typ: 'rtmail+jws', kid: thumbprint(probe.x) }
    const text = `${certificate}~${handMade(header, { ...claimsOf(), ...changes }, probe.privateKey)}`
    expect(codeOf(() => verifyToken(text, [root.x]))).toBe(code)
  })

  test('what could not be read is not minted', () => {
    const certificate = { sub: probeId, x: probe.x, ret: 'no address', nbf: nowS, exp: nowS + 1 }
    expect(codeOf(() => mintCertificate(certificate, root.privateKey))).toBe('CERTIFICATE_INVALID')
    const claims = { ...claimsOf(), tid: 'x' }
    expect(codeOf(() => mintToken({ certificate: 'x', claims, probeKey: probe.privateKey }))).toBe('DOCUMENT_MALFORMED')
  })

  test.each<[string, number, string]>([
    ['now', 0, 'timely'],
    ['a customer clock 30 s behind', -30_000, 'timely'],
    ['a customer clock an hour behind', -3_600_000, 'not_yet_valid'],
    ['two days later', 2 * 86_400_000, 'expired'],
  ])('time is judged apart: %s', (_, shiftMs, expected) => {
    expect(timeliness(verifyToken(makeToken(), [root.x]), nowMs + shiftMs)).toBe(expected)
  })
})

test.each<[string, readonly string[], boolean]>([
  ['rt@probe.example', ['probe.example'], true],
  ['rt@eu.probe.example', ['probe.example'], true],
  ['rt@EU.Probe.Example', ['probe.EXAMPLE'], true],
  ['rt@evilprobe.example', ['probe.example'], false],
  ['rt@probe.example.evil.example', ['probe.example'], false],
  ['rt@example', ['probe.example'], false],
  ['rt@probe.example@evil.example', ['evil.example'], false],
  ['"a@evil.example"@probe.example', ['probe.example'], false],
  ['rt@probe.example', [], false],
])('the return domain of %s under %j: %s', (address, domains, pinned) => {
  expect(returnDomainPinned(address, domains)).toBe(pinned)
})

test('the recipient is hashed without regard to case', () => {
  expect(recipientHash('Scout@Customer.Example')).toBe(recipientHash('scout@customer.example'))
})

test('an envelope id names its test and nothing else', () => {
  expect(testOfEnvelopeId(envelopeId(tid))).toBe(tid)
  for (const other of ['', tid, `mailscout-${tid}x`, 'mailscout-zzzzzzzz-0000-7000-8000-0123456789ab'])
    expect(testOfEnvelopeId(other)).toBeUndefined()
})
