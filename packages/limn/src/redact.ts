// Secrets kept out of everything that is printed or written: values of secret-looking variables, and Hugging Face tokens.

const SECRET_NAME = /TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|CREDENTIAL/i;
const HUB_TOKEN = /\bhf_[A-Za-z0-9]{8,}/g;
/** Shorter values are too likely to be ordinary words. */
const SHORTEST_SECRET = 8;

/** `text` with every secret of `env` replaced by `[hidden]`. */
export function redact(text: string, env: Readonly<Record<string, string | undefined>>): string {
  let clean = text.replace(HUB_TOKEN, '[hidden]');
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value.length >= SHORTEST_SECRET && SECRET_NAME.test(name)) {
      clean = clean.replaceAll(value, '[hidden]');
    }
  }
  return clean;
}
