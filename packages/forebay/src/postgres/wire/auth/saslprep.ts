// SASLprep (RFC 4013), the form that a password takes before SCRAM derives keys from it. As in the
// server, a password that SASLprep forbids is used as it stands.

/** Table B.1 of RFC 3454: characters that are mapped to nothing. */
const NOTHING = /\u034F|[\u180B-\u180D]|[\uFE00-\uFE0F]|[\u00AD\u1806\u200B-\u200D\u2060\uFEFF]/gu;

/** Table C.1.2: blanks other than ASCII's. U+200B is mapped to nothing before. */
const BLANK = /[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/gu;

/**
 * Tables C.2.1 to C.9: control characters, private use, non-characters, surrogates, tags and the
 * like.
 */
const PROHIBITED: RegExp = new RegExp(
  [
    "[\\u0000-\\u001F\\u007F-\\u009F\\u06DD\\u070F\\u180E\\u2028\\u2029\\u2061-\\u2063]",
    "[\\u206A-\\u206F\\uFFF9-\\uFFFD\\u{1D173}-\\u{1D17A}\\u0340\\u0341\\u200E\\u200F]",
    "[\\u202A-\\u202E\\u2FF0-\\u2FFB\\p{Co}\\p{Cs}\\u{E0001}\\u{E0020}-\\u{E007F}]",
    "\\p{Noncharacter_Code_Point}",
  ].join("|"),
  "u",
);

/** Table D.1: characters of writing systems that run from right to left. */
const RIGHT_TO_LEFT: RegExp = new RegExp(
  "[\\u05BE\\u05C0\\u05C3\\u05D0-\\u05EA\\u05F0-\\u05F4\\u061B\\u061F\\u0621-\\u063A" +
    "\\u0640-\\u064A\\u066D-\\u066F\\u0671-\\u06D5\\u06DD\\u06E5\\u06E6\\u06FA-\\u06FE" +
    "\\u0700-\\u070D\\u0710\\u0712-\\u072C\\u0780-\\u07A5\\u07B1\\u200F\\uFB1D" +
    "\\uFB1F-\\uFB28\\uFB2A-\\uFB36\\uFB38-\\uFB3C\\uFB3E\\uFB40\\uFB41\\uFB43\\uFB44" +
    "\\uFB46-\\uFBB1\\uFBD3-\\uFD3D\\uFD50-\\uFD8F\\uFD92-\\uFDC7\\uFDF0-\\uFDFC" +
    "\\uFE70-\\uFE74\\uFE76-\\uFEFC]",
  "u",
);

/**
 * Prepares a password.
 *
 * Two liberties: letters outside table D.1 stand for table D.2 (characters that run from left to
 * right), and characters that Unicode 3.2 did not have are allowed; both matter only to passwords
 * that mix such characters with others that normalisation changes.
 */
export function saslPrep(password: string): string {
  if (/^[\x20-\x7e]*$/u.test(password)) return password;
  const prepared = password.replace(NOTHING, "").replace(BLANK, " ").normalize("NFKC");
  if (prepared === "" || PROHIBITED.test(prepared)) return password;
  return isBidiAllowed(prepared) ? prepared : password;
}

/**
 * Section 6 of RFC 3454: right-to-left text has no left-to-right letters in it, and begins and ends
 * as such.
 */
function isBidiAllowed(text: string): boolean {
  if (!RIGHT_TO_LEFT.test(text)) return true;
  const characters = Array.from(text);
  const first = characters[0] ?? "";
  const last = characters.at(-1) ?? "";
  if (!RIGHT_TO_LEFT.test(first) || !RIGHT_TO_LEFT.test(last)) return false;
  return characters.every((c) => RIGHT_TO_LEFT.test(c) || !/\p{L}/u.test(c));
}
