/** Written into the bundle by its build; the sources, run as they are, say so. */
declare const MAILSCOUT_VERSION: string | undefined

export const responderVersion = typeof MAILSCOUT_VERSION === 'string' ? MAILSCOUT_VERSION : 'source'
