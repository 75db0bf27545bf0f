// The words of the console are in this folder, one file for what loads together; a file holds what it builds on too. Sentences of
// the server (reasons, steps, problems) come from the server. Here: what every page may say, the sign-in too.
import { plural } from '../../lib/count.ts'

export const words = {
  product: 'NovaCron',
  errors: {
    unreachable: 'Cannot reach NovaCron. Check the network, or whether the server runs.',
    emptyAnswer: 'The server sent an empty answer.',
    title: 'This could not be loaded',
    retry: 'Try again',
    copy: 'Copy details',
    copied: 'Copied',
    request: 'Request',
    code: 'Code',
    dismiss: 'Dismiss',
    retryIn: (s: number) => `Trying again in ${s} s`,
    crashed: 'Something went wrong on this page',
    reload: 'Load the page again',
    notFound: 'There is no such page',
    notFoundText: 'The address may be mistyped, or the thing was deleted.',
    toDashboard: 'To the dashboard',
  },
  common: {
    loading: 'Loading…',
    cancel: 'Cancel',
    close: 'Close',
    name: 'Name',
    state: 'State',
    status: 'Status',
    created: 'Created',
    size: 'Size',
    never: 'never',
    none: 'none',
    copy: 'Copy',
    more: 'More actions',
    all: 'All',
    back: 'Back',
    save: 'Save',
    clear: 'Clear filters',
    skip: 'Skip to the content',
    details: 'Details',
    unknown: 'unknown',
    forbidden: (right: string) => `Your role does not include this (${right}). Ask an administrator.`,
  },
  login: {
    title: 'Sign in',
    username: 'User name or e-mail',
    password: 'Password',
    show: 'Show',
    hide: 'Hide',
    submit: 'Sign in',
    forgot: 'Forgot your password?',
    register: 'Create an account',
    begin: 'The sign-in took too long or too many tries. Begin again.',
    unverified: 'Send the mail again',
    wrong: 'The user name or the password is wrong.',
    expired: 'Your session has ended. Sign in again.',
    stolen:
      'Your session was used from two places, so somebody else may have had it, and it was ended. Sign in again and change your password.',
    caps: 'Caps Lock is on.',
    passkey: 'Sign in with a passkey',
    oidc: 'Sign in with your organisation',
    // By the code that the server sends a browser back with.
    refused: {
      oidc_off: 'Nobody signs in with an organisation here. Sign in with your password.',
      oidc_refused: 'Your organisation did not sign you in. Begin again.',
      oidc_state: 'This sign-in took too long, was used already, or began in another browser. Begin again.',
      oidc_no_role: 'None of your groups at your organisation gives access here. Ask an administrator.',
      oidc_email: 'Your organisation does not vouch for an e-mail address of yours. Confirm one there first.',
      oidc_unreachable: 'Your organisation’s sign-in does not answer. Try again, or sign in with your password.',
      identity_known: 'That identity at your organisation has another account here already.',
      identity_linked: 'Your account is linked already.',
      account_closed: 'This account was closed. Ask an administrator.',
      email_taken: 'There is an account with your e-mail address already. Sign in with its password, or ask an administrator.',
    } as Record<string, string>,
    refusedOther: 'You were not signed in. Begin again, or sign in another way.',
    wait: (s: number) => `Too many attempts. Try again in ${plural(s, 'second', 'seconds')}.`,
  },
  passkey: {
    known: 'This device has a passkey of this account already.',
    left: 'No passkey was used: it was declined, or there is none here. Try again, or sign in another way.',
    origin: 'Passkeys work only at the public address of this installation. Open that address and try again.',
  },
}

/** Why the organisation's sign-in came to nothing, by the code in the address; anybody may write one there. */
export function refusedBy(code: string): string {
  const { refused, refusedOther } = words.login
  return (Object.hasOwn(refused, code) ? refused[code] : undefined) ?? refusedOther
}
