/** The container's health check: the part answers on its port, and is ready where it can say so. */
const address = `http://127.0.0.1:${process.env.PORT ?? 8080}${process.env.HEALTH_PATH ?? '/readyz'}`
const answer = await fetch(address, { signal: AbortSignal.timeout(2_500) }).catch(() => null)
process.exit(answer?.ok === true ? 0 : 1)
