// A real OpenID provider on loopback for tests: oidc-provider, with people and clients from its environment, and
// a log-in page that is a redirect. It must never be used for anything else.
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { Provider, interactionPolicy } from 'oidc-provider';

const people = JSON.parse(process.env.PEOPLE);
const clients = JSON.parse(process.env.CLIENTS);
const algorithms = { RS256: ['rsa', { modulusLength: 2048 }], ES256: ['ec', { namedCurve: 'P-256' }], EdDSA: ['ed25519', {}] };
const keys = Object.entries(algorithms).map(([alg, [kind, options]]) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg,
}));

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    cookies: { keys: ['a key of the test provider'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    claims: { openid: ['sub', 'amr'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    conformIdTokenClaims: process.env.CLAIMS_IN_ID_TOKEN !== 'true',
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { policy: interactionPolicy.base(), url: (_ctx, interaction) => `/enter/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  });
  // The id of a connection is known only after it was made with this issuer: "*" stands for it.
  provider.Client.prototype.redirectUriAllowed = function allowed(uri) {
    return this.redirectUris.some((each) => {
      const [before, after] = each.split('*');
      if (after === undefined) return uri === before;
      const name = uri.slice(before.length, uri.length - after.length);
      return uri === `${before}${name}${after}` && /^\w+$/.test(name);
    });
  };
  const callback = provider.callback();
  server.on('request', async (request, response) => {
    if (!request.url.startsWith('/enter/')) return callback(request, response);
    const { params, session } = await provider.interactionDetails(request, response);
    // Who logs in is said by a header: the test's browser is whoever it wants to be.
    const accountId = session?.accountId ?? request.headers['x-person'];
    if (!accountId) {
      const refusal = { error: 'access_denied', error_description: 'nobody' };
      return provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
    }
    const grant = new provider.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    const result = {
      login: { accountId, amr: people[accountId]?.amr },
      consent: { grantId: await grant.save() },
    };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  });
  process.stdout.write(`${issuer}\n`);
});
