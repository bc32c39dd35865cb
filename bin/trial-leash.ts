/** Loaded first in every part of the trial: where the trial is killed, its parts stop too, and leave the ports and the data free. */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
