// Downloads one file into a cache: by byte ranges, on from where it stopped, and never kept unless size and digest are right.
import { LimnError } from '@limn/gpu';
import type { HubFile, PartialBlob } from './cache.js';
import { describeFailure } from './http-errors.js';
import { BrokenConnection, type Answer, type HubHttp } from './http.js';

/** A connection that breaks this often without this much progress in between ends the download. */
const breaksWithoutProgress = 5;
const progressBytes = 2 ** 20;

/**
 * Completes and checks `blob`. A cut or silent connection is taken up again where it ended; contents with the wrong digest are thrown
 * away and asked for once more, since an earlier run may have left them.
 * @throws LimnError `hub/not-a-file`, `hub/wrong-length`, `hub/wrong-digest`, `hub/cut-off`, and what `HubHttp.ask` throws.
 */
export async function fillBlob(
  http: HubHttp,
  url: URL,
  file: HubFile,
  blob: PartialBlob,
  onBytes: (held: number) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    if (blob.size > file.size) await blob.clear();
    await fetchRest(http, url, file, blob, onBytes);
    const digest = await blob.digest(file.kind, http.signal);
    if (digest === file.etag) return;
    await blob.clear();
    onBytes(0);
    if (attempt === 2) {
      throw new LimnError('hub/wrong-digest', `${file.name}: the downloaded bytes are not those that the hub lists`, {
        details: { file: file.name, expected: file.etag, found: digest, size: file.size },
        hint: 'Nothing was kept. Something between this machine and the hub changes files; try another network.',
      });
    }
  }
}

async function fetchRest(
  http: HubHttp,
  url: URL,
  file: HubFile,
  blob: PartialBlob,
  onBytes: (held: number) => void,
): Promise<void> {
  let breaks = 0;
  let milestone = blob.size;
  while (blob.size < file.size) {
    const asked = blob.size;
    const answer = await http.ask(url, {
      ...(asked > 0 ? { range: `bytes=${asked}-` } : {}),
      // Ranges and lengths are of the bytes as they are; browsers do not let this be said, and decode.
      'accept-encoding': 'identity',
    });
    try {
      await takeBody(answer, asked, file, blob, onBytes);
    } catch (cause) {
      http.signal?.throwIfAborted();
      if (!(cause instanceof BrokenConnection)) throw cause;
      breaks = blob.size - milestone >= progressBytes ? 1 : breaks + 1;
      milestone = blob.size - milestone >= progressBytes ? blob.size : milestone;
      if (breaks >= breaksWithoutProgress) throw cutOff(file, blob.size, describeFailure(url, cause, breaks));
      await http.wait(Math.min(30_000, 500 * 2 ** (breaks - 1)), http.signal);
    } finally {
      answer.stop();
    }
  }
}

/** Appends what the answer holds beyond what is here. A body that ends early is a BrokenConnection: it can be taken up again. */
async function takeBody(
  answer: Answer,
  asked: number,
  file: HubFile,
  blob: PartialBlob,
  onBytes: (held: number) => void,
): Promise<void> {
  const { response } = answer;
  const type = response.headers.get('content-type') ?? '';
  if (/^text\/html\b/i.test(type)) {
    throw new LimnError('hub/not-a-file', `${answer.from} answered with a web page instead of ${file.name}`, {
      details: { url: answer.from, type },
      hint: 'Nothing was kept. A sign-in page, a proxy or a wrong endpoint stands in between.',
    });
  }
  if (response.status === 206 && response.headers.has('content-encoding')) {
    // A part of compressed contents is no part of the contents: from the beginning, then.
    await blob.clear();
    throw new BrokenConnection('sends a compressed part');
  }
  // A server that knows no ranges answers 200 with everything: what is here already is passed over.
  const begin = response.status === 206 ? rangeStart(answer, asked, file) : 0;
  const stated = response.headers.has('content-encoding') ? null : response.headers.get('content-length');
  if (stated !== null && Number(stated) !== file.size - begin) throw wrongLength(answer, file, begin + Number(stated));
  let at = begin;
  if (at > blob.size) throw wrongLength(answer, file, at);
  for await (const chunk of answer.chunks()) {
    const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, blob.size - at)));
    at += chunk.length;
    if (at > file.size) throw wrongLength(answer, file, at);
    if (fresh.length === 0) continue;
    await blob.append(fresh);
    onBytes(blob.size);
  }
  if (blob.size < file.size) {
    // An answer of stated length that ends early was cut; one of no stated length may be all there is.
    throw new BrokenConnection(`ended after ${blob.size} of ${file.size} bytes`);
  }
}

/** Where the part that was sent begins. A page may not see Content-Range of another site: then it is what was asked for. */
function rangeStart(answer: Answer, asked: number, file: HubFile): number {
  const stated = answer.response.headers.get('content-range');
  if (stated === null && asked > 0) return asked;
  const [, begin, , total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(stated ?? '') ?? [];
  if (begin === undefined) {
    throw new LimnError('hub/wrong-length', `${answer.from} sends a part of ${file.name} without saying which`, {
      details: { url: answer.from, contentRange: stated },
      hint: 'Nothing wrong was kept. Check the endpoint.',
    });
  }
  if (total !== '*' && Number(total) !== file.size) throw wrongLength(answer, file, Number(total));
  return Number(begin);
}

function wrongLength(answer: Answer, file: HubFile, found: number): LimnError {
  return new LimnError(
    'hub/wrong-length',
    `${answer.from}: ${file.name} should have ${file.size} bytes, but ${found} are sent`,
    {
      details: { url: answer.from, file: file.name, expected: file.size, found },
      hint: 'Nothing wrong was kept. Something between this machine and the hub changes files; check the endpoint.',
    },
  );
}

function cutOff(file: HubFile, held: number, cause: LimnError): LimnError {
  return new LimnError('hub/cut-off', `${file.name}: the connection broke again and again, last at byte ${held}`, {
    details: { file: file.name, held, size: file.size, reason: cause.details['reason'] },
    hint: 'What was downloaded is kept: try again and it goes on from there.',
    cause,
  });
}
