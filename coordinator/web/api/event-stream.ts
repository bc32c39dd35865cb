/** Server-Sent Events read from a byte stream: EventSource cannot send an Authorization header. */

export type StreamMessage = { event: string; data: string }

/** A resource is a few kilobytes; a line beyond this is not from our coordinator. */
const bufferLengthMax = 1024 * 1024

/**
 * Returns a function that takes text as it arrives and gives the messages completed by it (WHATWG HTML 9.2.6; `id` and
 * `retry` are not used here). Throws RangeError when a message grows beyond a mebibyte.
 */
export function createStreamParser(): (chunk: string) => StreamMessage[] {
  let rest = ''
  let event = ''
  let data: string[] = []

  const takeLine = (line: string): StreamMessage | undefined => {
    if (line === '') {
      const message = data.length > 0 ? { event: event === '' ? 'message' : event, data: data.join('\n') } : undefined
      event = ''
      data = []
      return message
    }
    if (line.startsWith(':')) return undefined
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    if (field === 'data') data.push(value)
    return undefined
  }

  return (chunk) => {
    rest += chunk
    if (rest.length > bufferLengthMax) throw new RangeError('a message of the event stream is too long')
    const messages: StreamMessage[] = []
    // A carriage return at the very end may be the first half of CRLF: it waits for the next chunk.
    const complete = /^([^\r\n]*)(?:\r\n|\n|\r(?!$))/
    for (let match = complete.exec(rest); match !== null; match = complete.exec(rest)) {
      rest = rest.slice(match[0].length)
      const message = takeLine(match[1] ?? '')
      if (message !== undefined) messages.push(message)
    }
    return messages
  }
}
