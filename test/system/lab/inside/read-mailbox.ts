/**
 * Reads a mailbox over IMAPS, verifying the server's certificate (NODE_EXTRA_CA_CERTS).
 * Arguments: host, user, password. Prints the raw mails as an array of JSON.
 */
import { ImapFlow } from 'imapflow'

const [host, user, pass] = process.argv.slice(2) as [string, string, string]
const client = new ImapFlow({ host, port: 993, secure: true, auth: { user, pass }, logger: false })
await client.connect()
await client.mailboxOpen('INBOX', { readOnly: true })
const mails: string[] = []
for await (const message of client.fetch('1:*', { source: true })) mails.push(message.source?.toString('utf8') ?? '')
await client.logout()
console.log(JSON.stringify(mails))
