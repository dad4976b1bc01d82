import { createApi } from './api.js'

const { ISSUER_URL, API_AUDIENCE, API_PORT = '8080' } = process.env
if (!ISSUER_URL || !API_AUDIENCE) throw new Error('ISSUER_URL and API_AUDIENCE say whose tokens are taken')

createApi({ issuer: ISSUER_URL, audience: API_AUDIENCE }).listen(Number(API_PORT), '127.0.0.1', () => {
  console.log(`the API listens on port ${API_PORT}`)
})
