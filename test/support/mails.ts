/** Keys, tokens and test mails as a probe makes them, and what relays do to mail on its way. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { publicXOf } from '../../common/mail/jws.ts'
import { buildTestMail } from '../../common/mail/test-mail.ts'
import { mintCertificate, mintToken, recipientHash, type TokenClaims, testMessageId } from '../../common/mail/token.ts'

export const nowMs = Date.UTC(2026, 10, 23, 15, 33, 48, 123)
export const nowS = Math.floor(nowMs / 1000)
export const tid = '019ab0c0-0000-7000-8000-0123456789ab'
export const probeId = '019ab0c0-0000-7000-8000-00000000000a'
export const returnAddress = 'rt@eu.probe.example'
export const target = 'scout@customer.example'

export type Keys = { privateKey: KeyObject; x: string }
export function makeKeys(): Keys {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, x: publicXOf(privateKey) }
}

export const root = makeKeys()
export const probe = makeKeys()

export type Changes = Partial<TokenClaims> & { certificateRet?: string; rootKey?: Keys; probeKey?: Keys; certifiedKey?: Keys }

export function makeToken({
  certificateRet,
  rootKey = root,
  probeKey = probe,
  certifiedKey = probeKey,
  ...changes
}: Changes = {}): string {
  const { v, ...claims } = { ...claimsOf(), ...changes }
  const ret = certificateRet ?? claims.ret
  const certificate = mintCertificate(
    { sub: probeId, x: certifiedKey.x, ret, nbf: nowS - 86_400, exp: nowS + 86_400 },
    rootKey.privateKey,
  )
  return mintToken({ certificate, claims, probeKey: probeKey.privateKey })
}

export const claimsOf = (): TokenClaims => ({
  v: 1,
  tid,
  mon: 'monitor-1',
  prb: probeId,
  rcpt: recipientHash(target),
  ret: returnAddress,
  mid: testMessageId(tid, returnAddress),
  att: 1,
  iat: nowS - 5,
  exp: nowS + 86_400,
})

export function makeTestMail(token = makeToken(), to = target): string {
  return buildTestMail({
    token,
    from: returnAddress,
    to,
    messageId: testMessageId(tid, returnAddress),
    dateMs: nowMs - 5000,
    tid,
  })
}

export const split = (mail: string): { head: string; body: string } => {
  const at = mail.indexOf('\r\n\r\n')
  return { head: mail.slice(0, at), body: mail.slice(at + 4) }
}

export const withoutTokenHeader = (mail: string): string => mail.replace(/X-Mailscout-Token:.*\r\n([ \t].*\r\n)*/, '')
export const withoutTokenBlock = (mail: string): string => mail.replace(/-----BEGIN MAILSCOUT TOKEN[\s\S]*TOKEN-----\r\n/, '')
export const withoutOwnHeaders = (mail: string): string => mail.replace(/X-Mailscout-[\w-]+:.*\r\n([ \t].*\r\n)*/g, '')

const replaceBody = (mail: string, encoding: string, change: (body: string) => string): string => {
  const { head, body } = split(mail)
  return `${head.replace('Content-Transfer-Encoding: 7bit', `Content-Transfer-Encoding: ${encoding}`)}\r\n\r\n${change(body)}`
}

export const toBase64 = (text: string): string =>
  (
    Buffer.from(text)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  ).join('\r\n')
export const toQuotedPrintable = (text: string): string =>
  text
    .split('\r\n')
    .map((line) =>
      line.replace(/[=~.]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`).replace(/(.{60}[^=]{2})(?=.)/g, '$1=\r\n'),
    )
    .join('\r\n')

const multipart = (mail: string, encoding: string, encode: (body: string) => string): string => {
  const { head, body } = split(mail)
  const outer = head
    .replace(/Content-Type:.*/, 'Content-Type: multipart/mixed; boundary="outer"')
    .replace(/Content-Transfer-Encoding:.*\r\n/, '')
  const inner = [
    '--inner',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Transfer-Encoding: ${encoding}`,
    '',
    encode(body),
    '--inner',
    'Content-Type: text/html',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    '<html><body>Some =3D html</body></html>',
    '--inner--',
  ]
  const parts = [
    '--outer',
    'Content-Type: multipart/alternative; boundary=inner',
    '',
    ...inner,
    '--outer',
    'Content-Type: text/plain',
    '',
    'Disclaimer',
    '--outer--',
    '',
  ]
  return `${outer}\r\n\r\n${parts.join('\r\n')}`
}

/** What relays, gateways and delivery agents do. Every form keeps the token readable somewhere. */
export const relayed: Record<string, (mail: string) => string> = {
  'as it was sent': (mail) => mail,
  'with LF line ends': (mail) => mail.replace(/\r\n/g, '\n'),
  'below an mbox separator': (mail) => `From rt@eu.probe.example Mon Nov 23 15:33:48 2026\n${mail.replace(/\r\n/g, '\n')}`,
  'with a tagged subject': (mail) => mail.replace('Subject: ', 'Subject: [EXTERNAL] '),
  'with a footer': (mail) => `${mail}\r\n-- \r\nThis mail was scanned.\r\n`,
  'with its own headers dropped': withoutTokenHeader,
  'with only the header left': (mail) => `${split(withoutTokenBlock(mail)).head}\r\n\r\nremoved\r\n`,
  'with headers refolded by tabs': (mail) => mail.replace(/\r\n /g, '\r\n\t'),
  'with headers unfolded': (mail) => mail.replace(/\r\n /g, ' '),
  'quoted, headers dropped': (mail) => replaceBody(withoutTokenHeader(mail), '7bit', (body) => body.replace(/^/gm, '> ')),
  'wrapped at 40, headers dropped': (mail) =>
    replaceBody(withoutTokenHeader(mail), '7bit', (body) => body.replace(/([\w~.-]{40})(?=[\w~.-])/g, '$1\r\n')),
  'quoted-printable, headers dropped': (mail) => replaceBody(withoutTokenHeader(mail), 'quoted-printable', toQuotedPrintable),
  'soft-broken without saying so': (mail) =>
    replaceBody(withoutTokenHeader(mail), '7bit', (body) => body.replace(/([\w~.-]{50})(?=[\w~.-])/g, '$1=\r\n')),
  'base64, headers dropped': (mail) => replaceBody(withoutTokenHeader(mail), 'base64', toBase64),
  'multipart 7bit with disclaimer': (mail) => multipart(withoutTokenHeader(mail), '7bit', (body) => body),
  'multipart quoted-printable': (mail) => multipart(withoutTokenHeader(mail), 'quoted-printable', toQuotedPrintable),
  'multipart base64': (mail) => multipart(withoutTokenHeader(mail), 'base64', toBase64),
  'forwarded as an attachment': (mail) =>
    `From: x@y.example\r\nContent-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\nContent-Type: message/rfc822\r\n\r\n${withoutTokenBlock(mail)}\r\n--f--\r\n`,
  'with a broken token above the good one': (mail) => `X-Mailscout-Token: aaaa.bbbb.cccc~dddd.eeee.ffff\r\n${mail}`,
}
