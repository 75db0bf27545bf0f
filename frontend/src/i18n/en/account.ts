// The words of the pages that people see before they are signed in, beside the sign-in itself.
import { plural } from '../../lib/count.ts'
import { words as core } from './core.ts'

export const words = {
  ...core,
  toLogin: 'To the sign-in',
  toSettings: 'To the settings',
  password: 'Password',
  newPassword: 'New password',
  passwordHint: 'At least 12 characters. A few words that have nothing to do with each other are good.',
  email: 'E-mail',
  username: 'User name',
  again: {
    title: 'Sign in again',
    kept: (name: string) => `What ${name} typed is still here, and shows again after the sign-in.`,
    leave: 'Leave the page',
  },
  secondFactor: {
    title: 'Second factor',
    code: 'Code of your authenticator app',
    hint: 'Six digits.',
    backup: 'Backup code',
    backupHint: 'One of the codes that you kept when you turned the second factor on. Each is good once.',
    useBackup: 'Use a backup code',
    useApp: 'Use the authenticator app',
    submit: 'Go on',
    passkey: 'Use a passkey',
    back: 'Back to the sign-in',
    left: (codes: number) =>
      codes === 0
        ? 'That was your last backup code. Make new ones in the settings.'
        : `${plural(codes, 'backup code is', 'backup codes are')} left.${codes <= 3 ? ' Make new ones in the settings.' : ''}`,
  },
  forgot: {
    title: 'Choose a new password',
    intro: 'We send a link to the address of your account. It is good once, for 30 minutes.',
    submit: 'Send the link',
    done: 'If there is an account with this address, a mail is on its way.',
    doneMore: 'Look into your inbox and the junk folder. No mail comes more than a few times an hour.',
  },
  reset: {
    title: 'Choose a new password',
    intro: 'You are signed out everywhere, and your API tokens end.',
    submit: 'Set the password',
    done: 'The new password holds. You were signed out everywhere else.',
    none: 'This page needs the link of a mail. Ask for one, and open it as a whole.',
    another: 'Send a new link',
  },
  verify: {
    title: 'Confirm your e-mail address',
    running: 'Confirming…',
    done: 'Your address is confirmed.',
    intro: 'We send another link to the address of your account. It is good once, for 24 hours.',
    submit: 'Send another link',
    newTitle: 'Confirm your new e-mail address',
    newAgain: 'This page needs the link of a mail. You can ask for another in the settings.',
    sent: 'If an account with this address waits for its confirmation, a mail is on its way.',
    again: (seconds: number) => `Send again in ${seconds} s`,
  },
  register: {
    title: 'Create an account',
    invited: 'You are invited. Your invitation is good once.',
    usernameHint: 'Letters and digits, with . _ - between them.',
    submit: 'Create the account',
    have: 'I have an account',
    inbox: 'Check your inbox',
    inboxText: (email: string) => `We sent a mail to ${email}. Open the link in it, then sign in.`,
    done: 'Your account is made',
    doneText: 'You can sign in now.',
    resend: 'Send the mail again',
  },
}
