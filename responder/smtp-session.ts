/**
 * One SMTP (RFC 5321) or LMTP (RFC 2033) session as a pure protocol: bytes in, reply and perhaps a mail out. While a mail is being
 * dealt with, input waits; `settle` gives the verdict and goes on with what the client has pipelined.
 */
import { isMailAddress } from '../common/mail/headers.ts'
import { messageBytesMax } from '../common/mail/message.ts'

export type ReceivedMail = { sender: string; recipients: readonly string[]; heloName: string; raw: Buffer }
export type Step = { reply: string; mail?: ReceivedMail; close: boolean }
export type SessionOptions = { hostName: string; lmtp: boolean; accepts(recipient: string): boolean }

/** Announced; of a larger mail than ours only the beginning is kept, but its sender need not know. */
export const sizeBytesMax = 10 * 1024 * 1024
/** RFC 5321 §4.5.3.1.4 asks for 512 octets; extensions add some. */
const commandBytesMax = 1024
const recipientsMax = 100
const errorsMax = 20
const mailsMax = 1000

const endOfData = Buffer.from('\r\n.\r\n')
const lineEnd = Buffer.from('\r\n')

type Transaction = { sender: string; recipients: string[] }
type Incoming = { kept: Buffer[]; keptBytes: number; bytes: number }

export class SmtpSession {
  readonly #options: SessionOptions
  #input: Buffer = Buffer.alloc(0)
  #heloName: string | undefined
  #transaction: Transaction | undefined
  #incoming: Incoming | undefined
  #awaiting: Transaction | undefined
  #mail: ReceivedMail | undefined
  #reply = ''
  #closed = false
  #errors = 0
  #mails = 0

  constructor(options: SessionOptions) {
    this.#options = options
  }

  greeting(): string {
    return `220 ${this.#options.hostName} ${this.#options.lmtp ? 'LMTP' : 'ESMTP'} Mailscout responder\r\n`
  }

  /** True between mails: the connection may be ended without cutting anything off. */
  get isIdle(): boolean {
    return this.#transaction === undefined && this.#incoming === undefined && this.#awaiting === undefined
  }

  feed(bytes: Uint8Array): Step {
    this.#input = Buffer.concat([this.#input, bytes])
    return this.#run()
  }

  /** The verdict on the mail of the last step, such as `250 2.0.0 Ok`. */
  settle(verdict: string): Step {
    const { recipients } = this.#awaiting ?? { recipients: [] }
    this.#awaiting = undefined
    // LMTP answers for each recipient apart (RFC 2033 §4.2).
    for (const _ of this.#options.lmtp ? recipients : ['once']) this.#say(verdict)
    return this.#run()
  }

  #run(): Step {
    this.#mail = undefined
    while (!this.#closed && this.#awaiting === undefined) {
      const moved = this.#incoming === undefined ? this.#readCommand() : this.#readData(this.#incoming)
      if (!moved) break
    }
    const step: Step = { reply: this.#reply, close: this.#closed }
    if (this.#mail !== undefined) step.mail = this.#mail
    this.#reply = ''
    return step
  }

  #readCommand(): boolean {
    const end = this.#input.indexOf(lineEnd)
    if (end > commandBytesMax || (end < 0 && this.#input.length > commandBytesMax)) return this.#end('500 5.5.2 Line too long')
    if (end < 0) return false
    const line = this.#input.toString('latin1', 0, end)
    this.#input = this.#input.subarray(end + 2)
    // A bare CR or LF may be a line end to somebody else, and what follows it a command (SMTP smuggling).
    if (!/^[\x20-\x7e\t]*$/.test(line)) return this.#end('500 5.5.2 Only printable ASCII and CRLF')
    const reply = this.#command(line)
    this.#say(reply)
    if (reply >= '4') this.#errors++
    if (this.#errors > errorsMax) return this.#end('421 4.7.0 Too many errors')
    return true
  }

  /** Carries one command out and returns the reply to it. */
  #command(line: string): string {
    const [verb = '', ...rest] = line.trim().split(/[ \t]+/)
    const argument = rest.join(' ')
    switch (verb.toUpperCase()) {
      case 'EHLO':
      case 'LHLO':
      case 'HELO':
        return this.#hello(verb.toUpperCase(), argument)
      case 'MAIL':
        return this.#mailFrom(argument)
      case 'RCPT':
        return this.#rcptTo(argument)
      case 'DATA':
        return this.#data(argument)
      case 'RSET':
        this.#transaction = undefined
        return '250 2.0.0 Ok'
      case 'NOOP':
        return '250 2.0.0 Ok'
      case 'VRFY':
        return '252 2.5.0 Send it and see'
      case 'QUIT':
        this.#closed = true
        return '221 2.0.0 Bye'
      default:
        return '500 5.5.1 Unknown command'
    }
  }

  #hello(verb: string, name: string): string {
    const { lmtp, hostName } = this.#options
    // RFC 2033 §4.1: LMTP must not be taken for SMTP, because its DATA answers once for each recipient.
    if (lmtp !== (verb === 'LHLO')) return `500 5.5.1 Say ${lmtp ? 'LHLO' : 'EHLO'}`
    if (!/^\S{1,255}$/.test(name)) return '501 5.5.4 Name yourself'
    this.#heloName = name
    this.#transaction = undefined
    if (verb === 'HELO') return `250 ${hostName}`
    return [`250-${hostName}`, '250-PIPELINING', `250-SIZE ${sizeBytesMax}`, '250-8BITMIME', '250 ENHANCEDSTATUSCODES'].join(
      '\r\n',
    )
  }

  #mailFrom(argument: string): string {
    if (this.#heloName === undefined) return '503 5.5.1 Say hello first'
    if (this.#transaction !== undefined) return '503 5.5.1 One sender a mail'
    if (this.#mails >= mailsMax) return '452 4.5.3 Too many mails in one session'
    const [, sender, words = ''] = /^FROM: ?<([^<>\s]{0,254})>((?: \S+)*)$/i.exec(argument) ?? []
    if (sender === undefined) return '501 5.1.7 MAIL FROM:<address>'
    const parameters = words.split(' ').filter((word) => word !== '')
    if (!parameters.every((word) => /^(SIZE=\d{1,12}|BODY=(7BIT|8BITMIME))$/i.test(word))) return '555 5.5.4 Unknown parameter'
    const size = parameters.find((word) => /^SIZE=/i.test(word))?.slice('SIZE='.length) ?? '0'
    if (Number(size) > sizeBytesMax) return '552 5.3.4 Too large'
    this.#transaction = { sender, recipients: [] }
    return '250 2.1.0 Ok'
  }

  #rcptTo(argument: string): string {
    if (this.#transaction === undefined) return '503 5.5.1 MAIL first'
    const recipient = /^TO: ?<(?:@[^<>\s:]{1,253}:)?([^<>\s]{1,254})>$/i.exec(argument)?.[1]
    if (recipient === undefined) return '501 5.1.3 RCPT TO:<address>'
    // RFC 5321 §4.5.1: the postmaster of this host is always known; his mail is not ours to answer.
    const known = recipient.toLowerCase() === 'postmaster' || (isMailAddress(recipient) && this.#options.accepts(recipient))
    if (!known) return '550 5.1.1 No such address here'
    if (this.#transaction.recipients.length >= recipientsMax) return '452 4.5.3 Too many recipients'
    this.#transaction.recipients.push(recipient)
    return '250 2.1.5 Ok'
  }

  #data(argument: string): string {
    if (argument !== '') return '501 5.5.4 DATA takes no argument'
    if (this.#transaction === undefined) return '503 5.5.1 MAIL first'
    if (this.#transaction.recipients.length === 0) return '554 5.5.1 No valid recipients'
    // The line end of DATA itself belongs to the end mark of an empty mail; it is cut off again from the content.
    this.#input = Buffer.concat([lineEnd, this.#input])
    this.#incoming = { kept: [], keptBytes: 0, bytes: 0 }
    return '354 End with <CRLF>.<CRLF>'
  }

  /**
   * Only CRLF.CRLF ends a mail; bare CR and LF stay content. That cannot smuggle: nothing of the content is ever sent on.
   */
  #readData(incoming: Incoming): boolean {
    const end = this.#input.indexOf(endOfData)
    if (end < 0) {
      const ready = Math.max(0, this.#input.length - (endOfData.length - 1))
      keep(incoming, this.#input.subarray(0, ready))
      this.#input = this.#input.subarray(ready)
      return incoming.bytes > 2 * sizeBytesMax ? this.#end('552 5.3.4 Too large') : false
    }
    keep(incoming, this.#input.subarray(0, end + 2))
    this.#input = this.#input.subarray(end + endOfData.length)
    this.#finishData(incoming)
    return true
  }

  #finishData(incoming: Incoming): void {
    const transaction = this.#transaction ?? { sender: '', recipients: [] }
    this.#incoming = undefined
    this.#transaction = undefined
    this.#mails++
    this.#awaiting = transaction
    if (incoming.bytes > sizeBytesMax) {
      this.#awaiting = undefined
      for (const _ of this.#options.lmtp ? transaction.recipients : ['once']) this.#say('552 5.3.4 Too large')
      return
    }
    const content = Buffer.concat(incoming.kept).toString('latin1').replaceAll('\r\n..', '\r\n.').slice(2)
    this.#mail = { ...transaction, heloName: this.#heloName ?? '', raw: Buffer.from(content, 'latin1') }
  }

  #say(line: string): void {
    this.#reply += `${line}\r\n`
  }

  #end(line: string): false {
    this.#say(line)
    this.#closed = true
    return false
  }
}

function keep(incoming: Incoming, bytes: Buffer): void {
  incoming.bytes += bytes.length
  const room = messageBytesMax - incoming.keptBytes
  if (room <= 0) return
  const part = Buffer.from(bytes.subarray(0, room))
  incoming.kept.push(part)
  incoming.keptBytes += part.length
}
