// What a hub's refusals mean, and how long a busy server asks to be left alone.
import { LimnError } from '@limn/gpu';

/** Milliseconds after which a refused request may be tried again, or undefined if that is of no use. */
export function waitTime(response: Response): number | undefined {
  if (![408, 425, 429, 500, 502, 503, 504].includes(response.status)) return undefined;
  const stated = response.headers.get('retry-after');
  if (stated === null) return 0;
  const seconds = /^\d+$/.test(stated.trim()) ? Number(stated) : (Date.parse(stated) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0;
}

/** The error for a status that is not 2xx. */
export function refused(response: Response, from: string, attempts: number, wait: number | undefined): LimnError {
  const { status } = response;
  const reason = response.headers.get('x-error-message') ?? response.headers.get('x-error-code');
  const said = `${from} answered with status ${status}${reason ? ` (${reason.slice(0, 200)})` : ''}`;
  const details = { url: from, status, attempts, ...(reason ? { reason: reason.slice(0, 200) } : {}) };
  const seconds = Math.ceil((wait ?? 0) / 1000);
  const tried = attempts > 1 ? `, ${attempts} times` : '';
  if (status === 401 || status === 403) {
    return new LimnError('hub/denied', said, {
      details,
      hint: 'The repository is private, gated or absent: check the id, set HF_TOKEN, and accept its terms on its page.',
    });
  }
  if (status === 404) {
    return new LimnError('hub/not-found', said, {
      details,
      hint: 'Check id and revision. Write a folder on this machine as ./folder.',
    });
  }
  if (status === 429) {
    return new LimnError('hub/rate-limited', `${said}${tried}${seconds > 0 ? `; it asks to wait ${seconds} s` : ''}`, {
      details: { ...details, waitSeconds: seconds },
      hint: 'Wait and try again; what was downloaded is kept. A token raises the limit.',
    });
  }
  if (wait !== undefined) {
    return new LimnError('hub/unavailable', `${said}${tried}${seconds > 0 ? `; it asks to wait ${seconds} s` : ''}`, {
      details: { ...details, waitSeconds: seconds },
      hint: 'Try again later; what was downloaded is kept.',
    });
  }
  return new LimnError('hub/refused', said, { details, hint: 'Check the endpoint and the id.' });
}

/** The error for a server that could not be reached, or stopped in the middle. */
export function describeFailure(url: URL, cause: unknown, attempts: number): LimnError {
  const reasons: string[] = [];
  for (let error = cause; error instanceof Error; error = error.cause) {
    const { code } = error as { code?: unknown };
    reasons.push(typeof code === 'string' ? `${error.message} (${code})` : error.message);
  }
  const reason = reasons.join(': ') || String(cause);
  return new LimnError(
    'hub/unreachable',
    `${url.protocol}//${url.host} could not be reached${attempts > 1 ? ` in ${attempts} attempts` : ''}: ${reason}`,
    {
      details: { host: url.host, attempts, reason },
      hint: 'Check the network, or use what is cached with offline: true (HF_HUB_OFFLINE=1).',
      cause,
    },
  );
}
