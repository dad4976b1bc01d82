/** Loaded into gateways that are profiled: a signal's default would end them without their profile. */
process.once('SIGTERM', () => setImmediate(() => process.exit(0)))
