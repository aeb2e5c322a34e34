// Access tokens never leave in a record or a page, whatever they were passed in as.

/** Tokens of Hugging Face, GitHub and OpenAI-like services, bearer headers, and passwords inside addresses. */
const secret =
  /\b(?:hf_|gh[pousr]_|github_pat_|sk-)[A-Za-z0-9_-]{16,}|\bBearer\s+[\w.~+/-]{16,}=*|(?<=:\/\/)[^\s/:@]+:[^\s/@]+(?=@)/g;

export const maskText = (text: string): string => text.replace(secret, '[secret removed]');

/** A copy of a JSON value in which every string is masked; the value itself when there is nothing to mask. */
export function maskSecrets<T>(value: T): T {
  const text = JSON.stringify(value);
  if (text.search(secret) < 0) return value;
  return JSON.parse(text, (_, entry: unknown) => (typeof entry === 'string' ? maskText(entry) : entry)) as T;
}
