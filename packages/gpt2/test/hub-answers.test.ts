// A hub that answers wrongly or is busy: the right bytes or a code, nothing wrong is kept, and no wait is longer than bearable.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { webDirectory } from '../src/hub/directory.js';
import { HubHttp } from '../src/hub/http.js';
import { libraryDirectory } from '../src/hub/library-directory.js';
import { openSnapshot } from '../src/hub/snapshot.js';
import { listed, sendJson, type Fault } from './hub/server.js';
import { contents, files, status, useHub, weights, weightsPath } from './hub/use-hub.js';

const here = useHub();
const html: Fault = (_request, response) =>
  void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Sign in</html>');

describe('answers that are not the file are refused, and nothing of them is kept', () => {
  const sized = (length: number, bytes = weights): Fault => {
    return (_request, response) =>
      void response.writeHead(200, { 'content-length': length }).end(bytes.slice(0, length));
  };
  const spoilt = weights.slice();
  spoilt[weights.length - 1]! ^= 1;
  test.each<[what: string, code: string, fault: Fault]>([
    ['a web page with status 200', 'hub/not-a-file', html],
    ['fewer bytes, as announced', 'hub/wrong-length', sized(weights.length - 1)],
    ['more bytes, as announced', 'hub/wrong-length', sized(weights.length + 1, Uint8Array.from([...weights, 0]))],
    ['nothing', 'hub/wrong-length', sized(0)],
    [
      'more bytes without a length',
      'hub/wrong-length',
      (_request, response) => {
        response.write(weights);
        response.end(weights);
      },
    ],
    ['one flipped bit', 'hub/wrong-digest', sized(weights.length, spoilt)],
    [
      'compressed rubbish',
      'hub/wrong-digest',
      (_request, response) => {
        const body = gzipSync(spoilt);
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
      },
    ],
    [
      'a part that does not say which',
      'hub/wrong-length',
      (_request, response) => void response.writeHead(206).end(weights.slice(0, 9)),
    ],
    [
      'a part of another file',
      'hub/wrong-length',
      (_request, response) => void response.writeHead(206, { 'content-range': 'bytes 0-8/9' }).end(weights.slice(0, 9)),
    ],
    [
      'a later part',
      'hub/wrong-length',
      (_request, response) =>
        void response
          .writeHead(206, { 'content-range': `bytes 5-${weights.length - 1}/${weights.length}` })
          .end(weights.slice(5)),
    ],
    ['a redirect to a file', 'hub/redirect', status(302, { location: 'file:///etc/passwd' })],
    ['a redirect without a target', 'hub/redirect', status(302)],
    ['a redirect to itself', 'hub/redirect', status(307, { location: '/model.safetensors' })],
    ['status 401', 'hub/denied', status(401)],
    ['status 403', 'hub/denied', status(403, { 'x-error-code': 'GatedRepo' })],
    ['status 404', 'hub/not-found', status(404)],
    ['status 416', 'hub/refused', status(416)],
    ['status 418', 'hub/refused', status(418)],
  ])('%s: %s', async (_what, code, fault) => {
    here.hub.fail(contents, fault);
    const error = await refusal(here.open());
    expect(error.code).toBe(code);
    expect(error.hint).toBeDefined();
    // A signed address is a secret.
    expect(JSON.stringify(error)).not.toContain('signature');
    expect(here.whole()).toBe(false);
    expect(readdirSync(path.join(here.cacheDir, 'models--tiny--gpt2/snapshots', here.hub.commit))).not.toContain(
      'model.safetensors',
    );
    expect(() => readFileSync(path.join(here.cacheDir, 'models--tiny--gpt2/refs/main'))).toThrow('ENOENT');
  });

  test('and the next download, from a hub that has recovered, is right', async () => {
    here.hub.fail(contents, sized(weights.length, spoilt), 1);
    await here.expectWhole(await here.open());
    expect(here.hub.asked(weightsPath).length).toBe(2);
  });

  test.each<[what: string, code: string, path: RegExp, fault: Fault]>([
    ['a web page for a commit', 'hub/bad-answer', /revision/, html],
    ['a web page for the listing', 'hub/bad-answer', /tree/, html],
    ['no commit', 'hub/bad-answer', /revision/, (_q, response) => sendJson(response, { sha: '../../x' })],
    [
      'a digest that is a path',
      'hub/bad-answer',
      /tree/,
      (_q, response) => sendJson(response, [{ ...listed('config.json', weights), oid: '../../../x' }]),
    ],
    [
      'a negative size',
      'hub/bad-answer',
      /tree/,
      (_q, response) => sendJson(response, [{ ...listed('config.json', weights), size: -1 }]),
    ],
    [
      'no config.json',
      'files/not-found',
      /tree/,
      (_q, response) => sendJson(response, [listed('model.safetensors', weights)]),
    ],
    [
      'only a pickle',
      'weights/no-safetensors',
      /tree/,
      (_q, response) => sendJson(response, [listed('config.json', weights), listed('pytorch_model.bin', weights)]),
    ],
    ['a listing that is no list', 'hub/bad-answer', /tree/, (_q, response) => sendJson(response, { error: 'x' })],
    [
      'ten thousand files and one',
      'hub/bad-answer',
      /tree/,
      (_q, response) =>
        sendJson(
          response,
          Array.from({ length: 10_001 }, (_, i) => listed(`${i}`, new Uint8Array(0))),
        ),
    ],
    ['a listing of nulls', 'hub/bad-answer', /tree/, (_q, response) => sendJson(response, [null])],
    ['an unknown model', 'hub/not-found', /revision/, status(404, { 'x-error-code': 'RepoNotFound' })],
  ])('%s: %s', async (_what, code, where, fault) => {
    here.hub.fail(where, fault);
    for (const directory of [libraryDirectory, webDirectory]) {
      const found = openSnapshot('tiny/gpt2', 'main', {
        ...here.at(new HubHttp({ endpoint: here.hub.endpoint })),
        directory,
      });
      expect((await refusal(found)).code).toBe(code);
    }
    expect(here.hub.asked(/resolve/)).toEqual([]);
  });

  test('a listing goes on at another host without the token', async () => {
    here.hub.fail(/hub .*tree/, (_request, response) => {
      response.setHeader('link', `<${here.hub.contentsHost}/api/models/tiny/gpt2/tree/2>; rel="next"`);
      sendJson(response, []);
    });
    here.hub.fail(/contents .*tree/, (_request, response) =>
      sendJson(
        response,
        [...files].map(([name, bytes]) => listed(name, bytes)),
      ),
    );
    const http = new HubHttp({ endpoint: here.hub.endpoint, token: 'hf_x' });
    const listings = await Promise.all(
      [libraryDirectory, webDirectory].map((directory) => directory.files(http, 'tiny/gpt2', here.hub.commit)),
    );
    expect([...(listings[0] as Map<string, unknown>).keys()]).toEqual([...files.keys()]);
    expect(listings[1]).toEqual(listings[0]);
    expect(here.hub.asked(/tree\/2/).map((seen) => seen.token)).toEqual([undefined, undefined]);
  });
});

describe('busy servers are waited for, as long as they ask for and no longer than is bearable', () => {
  test.each([429, 503])('status %s with Retry-After', async (code) => {
    here.hub.fail(contents, status(code, { 'retry-after': '7' }), 2);
    await here.expectWhole(await here.open());
    expect(here.waits).toEqual([7000, 7000]);
  });

  test('Retry-After as a date', async () => {
    here.hub.fail(contents, status(429, { 'retry-after': new Date(Date.now() + 20_000).toUTCString() }), 1);
    await here.expectWhole(await here.open());
    expect(here.waits[0]).toBeGreaterThan(17_000);
    expect(here.waits[0]).toBeLessThanOrEqual(20_000);
  });

  test('status 429 for an hour is an error at once, with the number', async () => {
    here.hub.fail(contents, status(429, { 'retry-after': '3600' }));
    const error = await refusal(here.open());
    expect([error.code, error.details['waitSeconds'], here.waits]).toEqual(['hub/rate-limited', 3600, []]);
  });

  test('status 503 again and again ends after five attempts, with longer and longer pauses', async () => {
    here.hub.fail(/revision/, status(503));
    const error = await refusal(here.open());
    expect([error.code, error.details['attempts'], here.waits]).toEqual([
      'hub/unavailable',
      5,
      [500, 1000, 2000, 4000],
    ]);
  });

  test('a server that is not there', async () => {
    const endpoint = here.hub.endpoint;
    await here.hub.stop();
    const error = await refusal(here.open({ endpoint }));
    expect([error.code, here.waits.length]).toEqual(['hub/unreachable', 4]);
    expect(error.message).toContain('ECONNREFUSED');
  });
});
