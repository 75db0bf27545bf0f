import { words as vms } from './vms.ts'
import { words as images } from './images.ts'
import { words as nodes } from './nodes.ts'

export const words = {
  ...vms,
  ...images,
  ...nodes,
  setup: {
    title: 'First administrator',
    intro: 'This one-time link makes the first account of this installation.',
    username: 'User name',
    email: 'E-mail',
    password: 'Password',
    hint: 'At least 12 characters.',
    submit: 'Create the account and sign in',
    steps: 'Steps of the setup',
    step: { account: 'Account', nodes: 'Nodes', image: 'Image', vm: 'First VM' },
    next: 'Continue',
    later: 'Later',
    nodes: 'Your machines',
    nodesText: 'These machines run your VMs. More can join at any time; they show here as soon as they have.',
    noNode: 'No machine has joined yet.',
    more: 'Add another machine',
    good: 'good',
    look: 'look at this',
    free: (size: string) => `${size} free`,
    image: 'An image to start from',
    imageText: 'A VM’s disk starts from an image. You can upload your own later.',
    catalogue: 'Fetch one that a distribution publishes',
    vm: 'The first VM',
    vmText: 'One vCPU and a little memory are enough to see that everything works.',
    vmMade: (name: string) => `${name} is being made.`,
    open: (name: string) => `Open ${name}`,
    noToken:
      'This page needs the one-time link that `novacron up` printed. Open that link, or make an account with `novacron admin create-user`.',
  },
}
