/** What a provider has issued, by kind and id. Kept apart from the provider, so that another one can go on with it. */
export function createProviderMemory() {
  const held = new Map<string, Record<string, unknown>>()
  return (kind: string) => {
    const find = async (id: string) => held.get(`${kind}:${id}`)
    return {
      find,
      async upsert(id: string, payload: Record<string, unknown>) {
        held.set(`${kind}:${id}`, payload)
      },
      findByUid: async (uid: string) =>
        [...held.values()].find((one) => one.kind === kind && one.uid === uid),
      findByUserCode: async () => undefined,
      async consume(id: string) {
        Object.assign((await find(id)) ?? {}, { consumed: Math.floor(Date.now() / 1_000) })
      },
      async destroy(id: string) {
        held.delete(`${kind}:${id}`)
      },
      async revokeByGrantId(grantId: string) {
        for (const [key, payload] of held) if (payload.grantId === grantId) held.delete(key)
      },
    }
  }
}
