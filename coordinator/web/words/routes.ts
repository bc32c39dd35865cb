/** The addresses within the page, after the `#`. */

export type Route = { view: 'overview' } | { view: 'monitor'; id: string } | { view: 'incident'; id: string }

export function parseRoute(hash: string): Route {
  const [collection, id] = hash.replace(/^#\/?/, '').split('/')
  if (id !== undefined && id !== '') {
    if (collection === 'monitors') return { view: 'monitor', id: decode(id) }
    if (collection === 'incidents') return { view: 'incident', id: decode(id) }
  }
  return { view: 'overview' }
}

export const monitorHref = (id: string): string => `#/monitors/${encodeURIComponent(id)}`
export const incidentHref = (id: string): string => `#/incidents/${encodeURIComponent(id)}`
export const overviewHref = '#/'

/** The API key from `#key=…`, as `npm start` prints it; undefined when the fragment is something else. */
export function keyFromHash(hash: string): string | undefined {
  const found = /^#key=([^&]+)/.exec(hash)
  const key = found?.[1] === undefined ? '' : decode(found[1]).trim()
  return key === '' ? undefined : key
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
