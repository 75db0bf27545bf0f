// Generated from backend/api/openapi.json by `npm run generate`. Do not edit.
export interface paths {
    "/api/auth/2fa/backup-codes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make new backup codes in place of the old ones */
        post: operations["renewBackupCodes"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/2fa/disable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Turn it off */
        post: operations["disableFactor"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/2fa/enable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Turn it on with a code of the app */
        post: operations["enableFactor"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/2fa/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a secret for an authenticator app */
        post: operations["setupFactor"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/2fa/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Is it on? */
        get: operations["factorStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/2fa/verify-login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End a sign-in with a code of the app or a backup code */
        post: operations["verifyLogin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/change-email": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask for another e-mail address; the new one gets a link that confirms it */
        post: operations["changeEmail"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/change-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Change the password; all other sessions end */
        post: operations["changePassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/confirm-email": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Confirm the new e-mail address with the secret of the mail */
        post: operations["confirmEmail"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/forgot-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask for a link to choose a new password */
        post: operations["forgotPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign in */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Withdraw the token and end its session */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who am I? */
        get: operations["me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/memberships": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tenants that I may act in, with my role in each */
        get: operations["listOwnMemberships"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/methods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ways to sign in */
        get: operations["signInMethods"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Come back from the OpenID provider */
        get: operations["finishOIDC"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Does the account sign in at the OpenID provider? */
        get: operations["oidcLink"];
        put?: never;
        /** Begin to link the account to the OpenID provider */
        post: operations["linkOIDC"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Go to the OpenID provider to sign in */
        get: operations["beginOIDC"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/oidc/unlink": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Unlink the account from the OpenID provider */
        post: operations["unlinkOIDC"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/passkeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List one's passkeys */
        get: operations["listPasskeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/passkeys/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begin to sign in by passkey, alone or as the second factor */
        post: operations["beginPasskeyLogin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/passkeys/login/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End a sign-in by passkey */
        post: operations["finishPasskeyLogin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/passkeys/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begin to add a passkey */
        post: operations["beginPasskey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/passkeys/register/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Add the passkey that the browser made */
        post: operations["finishPasskey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/passkeys/{id}/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Remove a passkey */
        post: operations["removePasskey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/prove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Prove who is there once more, before what asks for it within ten minutes */
        post: operations["prove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Exchange the refresh token for new tokens; 204 when there is none */
        post: operations["refresh"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make an account of one's own */
        post: operations["register"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/resend-verification": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send the mail that confirms the address again */
        post: operations["resendVerification"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/reset-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Choose a new password with the secret of the mail; all sessions end */
        post: operations["resetPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List where one is signed in */
        get: operations["listSessions"];
        put?: never;
        post?: never;
        /** Sign out everywhere */
        delete: operations["endSessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show one session */
        get: operations["getSession"];
        put?: never;
        post?: never;
        /** End one session */
        delete: operations["endSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make the first account with the one-time link, and sign in */
        post: operations["setup"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/verify-email": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Confirm the e-mail address with the secret of the mail */
        post: operations["verifyEmail"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Does the server answer? */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Can the server do its work? */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who did what, newest first */
        get: operations["listAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Check that no entry was changed or removed */
        get: operations["checkAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/catalogue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the images that distributions publish */
        get: operations["listCatalogue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The history behind the event stream, oldest first */
        get: operations["listEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List images */
        get: operations["listImages"];
        put?: never;
        /** Import an image, or begin its upload */
        post: operations["createImage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an image */
        get: operations["getImage"];
        put?: never;
        post?: never;
        /** Delete an image that no VM needs */
        delete: operations["deleteImage"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images/{id}/data": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Ask how much of an upload has arrived */
        head: operations["getUpload"];
        /** Send bytes of an upload */
        patch: operations["uploadImage"];
        trace?: never;
    };
    "/api/v1/invites": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the invitations that nobody has used yet, newest first */
        get: operations["listInvites"];
        put?: never;
        /** Invite somebody to make an account; the link is mailed, and shown once */
        post: operations["createInvite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/invites/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Withdraw an invitation: nobody makes an account with it any more */
        delete: operations["deleteInvite"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/networks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List networks */
        get: operations["listNetworks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/networks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a network */
        get: operations["getNetwork"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/nodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List nodes */
        get: operations["listNodes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/nodes/join-tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a one-use token for a machine that joins */
        post: operations["createJoinToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/nodes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a node */
        get: operations["getNode"];
        put?: never;
        post?: never;
        /** Forget a node that holds nothing */
        delete: operations["removeNode"];
        options?: never;
        head?: never;
        /** Cordon or label a node */
        patch: operations["updateNode"];
        trace?: never;
    };
    "/api/v1/nodes/{id}/confirm-dead": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say that a machine is off for good */
        post: operations["confirmNodeDead"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List operations, newest first */
        get: operations["listOperations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an operation; with wait, when it has ended */
        get: operations["getOperation"];
        put?: never;
        post?: never;
        /** Cancel an operation: it undoes what it did */
        delete: operations["cancelOperation"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take back what a stuck operation left: the answer is the operation that does it */
        post: operations["retryOperation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/placements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Where a VM would be put now, and why not elsewhere; nothing is reserved */
        post: operations["previewVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/roles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List roles and what they may do */
        get: operations["listRoles"];
        put?: never;
        /** Make a role of actions and the tenants that they reach */
        post: operations["createRole"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/roles/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a role */
        get: operations["getRole"];
        put?: never;
        post?: never;
        /** Delete an own role that nobody has */
        delete: operations["deleteRole"];
        options?: never;
        head?: never;
        /** Change an own role, from the next request on of everybody who has it */
        patch: operations["updateRole"];
        trace?: never;
    };
    "/api/v1/servers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the servers on the database */
        get: operations["listServers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tenants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tenants: all for administrators, else the own one */
        get: operations["listTenants"];
        put?: never;
        /** Make a tenant */
        post: operations["createTenant"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tenants/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a tenant, its quota and what it uses */
        get: operations["getTenant"];
        put?: never;
        post?: never;
        /** Delete a tenant that has nothing left */
        delete: operations["deleteTenant"];
        options?: never;
        head?: never;
        /** Rename a tenant or change its quota */
        patch: operations["updateTenant"];
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List one's API tokens */
        get: operations["listTokens"];
        put?: never;
        /** Make an API token; its secret is shown once */
        post: operations["createToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Delete an API token */
        delete: operations["deleteToken"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List accounts */
        get: operations["listUsers"];
        put?: never;
        /** Make an account */
        post: operations["createUser"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an account */
        get: operations["getUser"];
        put?: never;
        post?: never;
        /** Delete an account; what it made stays with its tenant */
        delete: operations["deleteUser"];
        options?: never;
        head?: never;
        /** Change an account's role or tenant, or close it */
        patch: operations["updateUser"];
        trace?: never;
    };
    "/api/v1/users/{id}/memberships": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tenants that somebody may act in, with the role in each */
        get: operations["listMemberships"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/memberships/{tenant}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Let somebody act in one more tenant, or give another role there */
        put: operations["putMembership"];
        post?: never;
        /** End what somebody may do in a tenant, with the API tokens that act there */
        delete: operations["deleteMembership"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/reset-second-factor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take the second factors of somebody who has lost them away */
        post: operations["resetUserFactor"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List where somebody is signed in */
        get: operations["listUserSessions"];
        put?: never;
        post?: never;
        /** Sign somebody out everywhere */
        delete: operations["endUserSessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/sessions/{session}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End one session of somebody */
        delete: operations["endUserSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List VMs */
        get: operations["listVMs"];
        put?: never;
        /** Create a VM */
        post: operations["createVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a VM */
        get: operations["getVM"];
        put?: never;
        post?: never;
        /** Delete a VM with its disks and snapshots */
        delete: operations["deleteVM"];
        options?: never;
        head?: never;
        /** Change a VM */
        patch: operations["updateVM"];
        trace?: never;
    };
    "/api/v1/vms/{id}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who did what to a VM, newest first */
        get: operations["listVMChanges"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/clone": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Copy a VM */
        post: operations["cloneVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/console": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Get a one-use ticket for a console */
        post: operations["openConsole"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Halt the vCPUs */
        post: operations["pauseVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/restart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop and start a VM */
        post: operations["restartVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Go on after a pause or a suspend */
        post: operations["resumeVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/snapshots": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the snapshots of a VM */
        get: operations["listSnapshots"];
        put?: never;
        /** Take a snapshot */
        post: operations["createSnapshot"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/snapshots/{snapshot}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a snapshot */
        get: operations["getSnapshot"];
        put?: never;
        post?: never;
        /** Delete a snapshot */
        delete: operations["deleteSnapshot"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/snapshots/{snapshot}/revert": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Put a VM back to a snapshot */
        post: operations["revertSnapshot"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Start a VM */
        post: operations["startVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop a VM: ask the guest, then end it */
        post: operations["stopVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Save the memory to disk and end the process */
        post: operations["suspendVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign in: a short name of /api/auth/login */
        post: operations["loginShort"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make an account: a short name of /api/auth/register */
        post: operations["registerShort"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Accepted: {
            message: string;
        };
        AuditCheck: {
            /**
             * Format: int64
             * @description 0: nowhere
             */
            broken_at: number;
            /** Format: int64 */
            entries: number;
            head: string;
            intact: boolean;
            sentence: string;
        };
        AuditEntry: {
            action: string;
            actor: string;
            address: string;
            detail: unknown;
            /** @description SHA-256 of this entry and the hash of the one before it */
            hash: string;
            /** Format: int64 */
            id: number;
            request_id: string;
            /** @description ok, or the code of the refusal */
            result: string;
            subject: string;
            /** @description Whose thing it was; empty: the platform's */
            tenant: string;
            /** Format: date-time */
            time: string;
            /** @description Empty: the platform itself */
            user: string;
        };
        Autostart: {
            /**
             * Format: int64
             * @description Seconds to wait after this VM before the next order
             */
            delay_s?: number;
            enabled?: boolean;
            /**
             * Format: int64
             * @description Lower first
             */
            order?: number;
        };
        BackupCodes: {
            backup_codes: string[];
        };
        CatalogueEntry: {
            arch: string;
            /** @description The account that gets the ssh keys */
            login: string;
            /** Format: int64 */
            min_disk_gib: number;
            /** Format: int64 */
            min_memory_mib: number;
            /** @description What catalogue takes */
            name: string;
            os: string;
            title: string;
            url: string;
        };
        ChangeEmail: {
            /** @description Gets a link, and counts from when it is opened */
            email: string;
            /** @description The present one */
            password: string;
        };
        ChangePassword: {
            current_password: string;
            new_password: string;
        };
        CloneVM: {
            description?: string;
            /** @description Share the source's disks; quick, but the source cannot be deleted before the clone */
            linked?: boolean;
            name: string;
            /** @description Start the copy when it is made */
            start?: boolean;
        };
        Code: {
            code: string;
        };
        ConsoleTicket: {
            /** Format: date-time */
            expires_at: string;
            /** @description Where to open the WebSocket */
            path: string;
            /** @description The whole subprotocol to offer */
            subprotocol: string;
            /** @description Offer novacron.ticket.TICKET as WebSocket subprotocol */
            ticket: string;
        };
        ConsoleWish: {
            /**
             * @description Absent: serial
             * @enum {string}
             */
            kind?: "serial" | "vnc" | "tcp";
            /**
             * @description ask: only if nobody types; watch: without typing; take: from whoever types. Absent: ask
             * @enum {string}
             */
            mode?: "ask" | "watch" | "take";
            /**
             * Format: int64
             * @description With tcp: the guest's port
             */
            port?: number;
        };
        CreateImage: {
            /**
             * @description Absent: the server's
             * @enum {string}
             */
            arch?: "x86_64" | "aarch64";
            /**
             * Format: int64
             * @description Length of the upload that follows
             */
            bytes?: number;
            /** @description Import this entry of the catalogue */
            catalogue?: string;
            /** @description sha256:... or sha512:... of the bytes as they come */
            checksum?: string;
            /**
             * @description Absent: as the image says
             * @enum {string}
             */
            firmware?: "bios" | "uefi" | "direct";
            name: string;
            os?: string;
            /** @description For all tenants; administrators only */
            public?: boolean;
            /** @description Import from here */
            url?: string;
        };
        CreateInvite: {
            email: string;
            /** @description Built-in or own; absent: developer */
            role?: string;
            /** @description Id or name; absent: the first tenant */
            tenant?: string;
        };
        CreateRole: {
            actions: string[];
            description?: string;
            /** @description Small letters, digits and -; it stays */
            name: string;
            /** @description Ids or names, with tenants named */
            tenant_ids?: string[] | null;
            /**
             * @description Absent: own
             * @enum {string}
             */
            tenants?: "own" | "all" | "named";
        };
        CreateSnapshot: {
            description?: string;
            /** @description With memory and device state; the VM must run or be paused */
            memory?: boolean;
            /** @description Absent: one is made from the time */
            name?: string;
            /** @description Freeze the guest's file systems through its agent */
            quiesce?: boolean;
        };
        CreateTenant: {
            name: string;
            quota?: components["schemas"]["Quota"];
            require_second_factor?: boolean;
        };
        CreateToken: {
            /**
             * Format: date-time
             * @description Within a year; absent: it does not end
             */
            expires_at?: string;
            name: string;
            /** @description Actions that it allows; absent: all that the account may do */
            scopes?: string[] | null;
        };
        CreateUser: {
            email: string;
            /** @description At least 12 characters; no rules on which */
            password: string;
            /** @description Built-in or own; absent: administrator */
            role?: string;
            /** @description Id or name; absent: the first tenant */
            tenant?: string;
            username: string;
        };
        CreateVM: {
            /**
             * @description Absent: the image's
             * @enum {string}
             */
            arch?: "x86_64" | "aarch64";
            autostart?: components["schemas"]["Autostart"];
            /** @description An ISO image to boot from first */
            cdrom?: string;
            /**
             * Format: int64
             * @default 1
             */
            cpus: number;
            description?: string;
            /**
             * Format: int64
             * @description Of the boot disk; 0: as large as the image
             */
            disk_gib?: number;
            /** @description Disks beside the boot disk */
            disks?: components["schemas"]["NewDisk"][] | null;
            /** @description A VGA display, shown over VNC; absent: yes, except with a direct start */
            display?: boolean;
            /**
             * @description Absent: the image's
             * @enum {string}
             */
            firmware?: "bios" | "uefi" | "direct";
            /** @description Ports of the node that reach the guest */
            forwards?: components["schemas"]["Forward"][] | null;
            /** @description Id, name or digest; empty: a blank boot disk */
            image?: string;
            /** Format: int64 */
            memory_mib: number;
            /** @description A DNS label, unique within the tenant */
            name: string;
            /** @description Ids or names, one NIC each; absent: the default network */
            networks?: string[];
            /** @description Id or name of the node to use; empty: one with room */
            node?: string;
            /** @description Refuses delete */
            protected?: boolean;
            /**
             * @description What may happen when its node is lost; absent: stay
             * @enum {string}
             */
            restart?: "stay" | "elsewhere";
            secure_boot?: boolean;
            ssh_keys?: string[] | null;
            /** @description Start it when it is made; absent: yes */
            start?: boolean;
            /** @description Words to find it by: 1 to 63 lower-case letters, digits, dots, hyphens and underscores each */
            tags?: string[] | null;
            tpm?: boolean;
            /** @description cloud-init user-data */
            user_data?: string;
        };
        DiskChange: {
            id: string;
            /** Format: int64 */
            iops?: number;
            /** Format: int64 */
            mib_per_s?: number;
            /** Format: int64 */
            size_gib?: number;
        };
        EmailOnly: {
            email: string;
        };
        Event: {
            data: unknown;
            /** @description Cursor behind this event; absent: not kept, not replayed */
            id?: string;
            /** @description What it happened to, for example vm/ID */
            subject: string;
            tenant: string;
            /** Format: date-time */
            time: string;
            /** @description For example vm.state */
            type: string;
        };
        FactorSetup: {
            otpauth_url: string;
            /** @description The URL as a picture (PNG) */
            qr_png: string;
            /** @description Base 32 */
            secret: string;
        };
        FactorStatus: {
            /** Format: int64 */
            backup_codes_left: number;
            enabled: boolean;
            /** @description totp, passkey, backup_code */
            methods: string[];
            /** @description By the tenant or the whole installation */
            required: boolean;
        };
        FieldFault: {
            field: string;
            message: string;
        };
        Forward: {
            /** Format: int64 */
            guest_port: number;
            /** Format: int64 */
            host_port: number;
            /** @description Address of the node; empty: 127.0.0.1 */
            listen?: string;
            /**
             * @default tcp
             * @enum {string}
             */
            protocol: "tcp" | "udp";
        };
        Health: {
            /** @description ok */
            status: string;
            version: string;
        };
        Image: {
            arch: string;
            /** Format: int64 */
            bytes: number;
            /** @description That was given for its bytes and that they were found to have; empty: none was given */
            checksum: string;
            /** Format: date-time */
            created_at: string;
            /** @description sha256:... of its content once it is ready */
            digest: string;
            firmware: string;
            format: string;
            id: string;
            /** Format: int64 */
            min_disk_gib: number;
            /** Format: int64 */
            min_memory_mib: number;
            name: string;
            os: string;
            source: string;
            /** @description uploading, importing, ready or error */
            state: string;
            state_reason: string;
            /** @description Empty: everybody's */
            tenant: string;
            /**
             * Format: int64
             * @description Bytes of an upload in all
             */
            upload_bytes: number;
            /**
             * Format: int64
             * @description Bytes of an upload that are on the disk: go on from here
             */
            upload_offset: number;
            /** Format: int64 */
            version: number;
            /**
             * Format: int64
             * @description Size of the disk that a guest sees
             */
            virtual_bytes: number;
        };
        ImageAnswer: {
            arch: string;
            /** Format: int64 */
            bytes: number;
            /** @description That was given for its bytes and that they were found to have; empty: none was given */
            checksum: string;
            /** Format: date-time */
            created_at: string;
            /** @description sha256:... of its content once it is ready */
            digest: string;
            firmware: string;
            format: string;
            id: string;
            /** Format: int64 */
            min_disk_gib: number;
            /** Format: int64 */
            min_memory_mib: number;
            name: string;
            operation?: components["schemas"]["Operation"];
            os: string;
            source: string;
            /** @description uploading, importing, ready or error */
            state: string;
            state_reason: string;
            /** @description Empty: everybody's */
            tenant: string;
            /**
             * Format: int64
             * @description Bytes of an upload in all
             */
            upload_bytes: number;
            /**
             * Format: int64
             * @description Bytes of an upload that are on the disk: go on from here
             */
            upload_offset: number;
            /** Format: int64 */
            version: number;
            /**
             * Format: int64
             * @description Size of the disk that a guest sees
             */
            virtual_bytes: number;
        };
        Invite: {
            /** Format: date-time */
            created_at: string;
            email: string;
            /** Format: date-time */
            expires_at: string;
            id: string;
            /** @description User name */
            invited_by: string;
            role: string;
            tenant: string;
            tenant_name: string;
        };
        InviteMade: {
            /** Format: date-time */
            created_at: string;
            email: string;
            /** Format: date-time */
            expires_at: string;
            id: string;
            /** @description User name */
            invited_by: string;
            role: string;
            tenant: string;
            tenant_name: string;
            token: string;
            /** @description Where the account is made */
            url: string;
        };
        JoinToken: {
            /** @description To type on the machine that joins */
            command: string;
            /** Format: date-time */
            expires_at: string;
            token: string;
        };
        ListAuditEntry: {
            items: components["schemas"]["AuditEntry"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListCatalogueEntry: {
            items: components["schemas"]["CatalogueEntry"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListEvent: {
            items: components["schemas"]["Event"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListImage: {
            items: components["schemas"]["Image"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListInvite: {
            items: components["schemas"]["Invite"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListMembership: {
            items: components["schemas"]["Membership"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListNetwork: {
            items: components["schemas"]["Network"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListNode: {
            items: components["schemas"]["Node"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListOperation: {
            items: components["schemas"]["Operation"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListPasskey: {
            items: components["schemas"]["Passkey"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListRole: {
            items: components["schemas"]["Role"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListServer: {
            items: components["schemas"]["Server"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListSession: {
            items: components["schemas"]["Session"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListSnapshot: {
            items: components["schemas"]["Snapshot"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListTenant: {
            items: components["schemas"]["Tenant"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListToken: {
            items: components["schemas"]["Token"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListUser: {
            items: components["schemas"]["User"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListVMChange: {
            items: components["schemas"]["VMChange"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        ListVMSummary: {
            items: components["schemas"]["VMSummary"][];
            /** @description Ask for the next page with it; empty: this was the last */
            next_cursor: string;
            /**
             * Format: int64
             * @description Of all pages, under the same filter
             */
            total: number;
        };
        Login: {
            password: string;
            /** @description The user name or the e-mail address */
            username: string;
        };
        LoginAnswer: {
            access_token?: string;
            /** @description Good for five minutes and five codes */
            challenge_token?: string;
            /**
             * Format: int64
             * @description Seconds
             */
            expires_in?: number;
            /** @description What ends the sign-in: totp and backup_code at /api/auth/2fa/verify-login, passkey at /api/auth/passkeys/login */
            methods?: string[] | null;
            /** @description Only for clients that sent neither Cookie nor Origin; browsers have it as an HttpOnly cookie */
            refresh_token?: string;
            /** @description The account must turn a second factor on: until then everything but /api/auth/2fa, /api/auth/me and signing out is refused */
            second_factor_needed?: boolean;
            /** @description Bearer */
            token_type?: string;
            /** @description Then there is nothing else but challenge_token: end the sign-in at /api/auth/2fa/verify-login */
            two_factor_required?: boolean;
            user?: components["schemas"]["User"];
        };
        Membership: {
            /** Format: date-time */
            created_at: string;
            /** @description The account's own tenant, where it acts unless a request says another one */
            own: boolean;
            role: string;
            tenant: string;
            tenant_name: string;
        };
        NIC: {
            address: string;
            id: string;
            mac: string;
            network: string;
            network_name: string;
        };
        Network: {
            /** Format: date-time */
            created_at: string;
            dns: string[];
            gateway: string;
            id: string;
            /** Format: int64 */
            mtu: number;
            name: string;
            subnet: string;
            /** @description Empty: everybody's */
            tenant: string;
            /** Format: int64 */
            version: number;
        };
        NewDisk: {
            /** @description Read-only, from an ISO image */
            cdrom?: boolean;
            /** @description Id, name or digest of what it starts from */
            image?: string;
            /**
             * Format: int64
             * @description Operations per second; 0: no limit
             */
            iops?: number;
            /**
             * Format: int64
             * @description Throughput; 0: no limit
             */
            mib_per_s?: number;
            /** Format: int64 */
            size_gib?: number;
        };
        NewPasskey: {
            challenge_token: string;
            /** @description PublicKeyCredential.toJSON() */
            credential: unknown;
            /** @description For people to tell their passkeys apart */
            name: string;
        };
        Node: {
            /** @description kvm, or tcg where KVM does not really run a vCPU */
            accel: string;
            accel_reason: string;
            arch: string;
            /** @description Takes no new VMs */
            cordoned: boolean;
            cpu_model: string;
            /** Format: int64 */
            cpus: number;
            /** Format: int64 */
            cpus_allocated: number;
            /** Format: date-time */
            created_at: string;
            /** Format: int64 */
            disk_free_bytes: number;
            /** Format: int64 */
            disk_total_bytes: number;
            hypervisor: string;
            id: string;
            kernel: string;
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            last_seen?: string;
            /** Format: double */
            load1: number;
            /** Format: int64 */
            memory_allocated_mib: number;
            /** Format: int64 */
            memory_free_mib: number;
            /** Format: int64 */
            memory_mib: number;
            /** @description What is not installed there and what it would allow */
            missing: string[];
            name: string;
            /** @description bridge, user or sim */
            network: string;
            network_note: string;
            /** @description Version of its agent */
            novacron: string;
            /** @description joining, alive, lost (its lease ended; its guests may run on), dead (confirmed by an operator) or removed */
            state: string;
            state_reason: string;
            /** Format: int64 */
            version: number;
            /** Format: int64 */
            vms: number;
        };
        OIDCBegun: {
            url: string;
        };
        OIDCLink: {
            linked: boolean;
        };
        Operation: {
            /** @description Who asked */
            caller: string;
            /** @description Somebody asked to cancel it */
            cancel_requested: boolean;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            ended_at?: string;
            /** @description Why it failed, or what keeps it stuck */
            error?: components["schemas"]["OperationProblem"];
            id: string;
            /** @description For example vm.create */
            kind: string;
            /**
             * Format: double
             * @description Of the whole, 0 to 1
             */
            progress: number;
            /** @description What happens now */
            sentence: string;
            /** @enum {string} */
            status: "queued" | "running" | "undoing" | "succeeded" | "failed" | "canceled" | "stuck";
            /**
             * Format: int64
             * @description Index of the present step
             */
            step: number;
            /** @description The steps as sentences */
            steps: string[];
            /** @description What it acts on, for example vm/ID */
            subject: string;
            /** @description Its name when the operation began; empty for what began before names were kept */
            subject_name: string;
            tenant: string;
            /** Format: date-time */
            updated_at: string;
        };
        OperationAnswer: {
            operation?: components["schemas"]["Operation"];
        };
        OperationProblem: {
            code: string;
            kind: string;
            message: string;
        };
        Passkey: {
            /** Format: date-time */
            created_at: string;
            id: string;
            /** Format: date-time */
            last_used_at?: string;
            name: string;
        };
        PasskeyAnswer: {
            challenge_token: string;
            /** @description PublicKeyCredential.toJSON() */
            credential: unknown;
        };
        PasskeyChallenge: {
            /** @description Good for five minutes and one answer */
            challenge_token: string;
            /** @description {publicKey: …} */
            options: unknown;
        };
        PasskeyLogin: {
            /** @description Of a sign-in that asks for a second factor; absent: the passkey is all that is shown */
            challenge_token?: string;
        };
        PasskeyMade: {
            /** @description With the account's first second factor; shown once */
            backup_codes?: string[] | null;
            /** Format: date-time */
            created_at: string;
            id: string;
            /** Format: date-time */
            last_used_at?: string;
            name: string;
        };
        PasswordOnly: {
            password: string;
        };
        Placement: {
            /** @description First those that fit, best first, then the others */
            nodes: components["schemas"]["PlacementNode"][];
            /** @description Why none fits, with the way out; absent: the first would be taken */
            reason?: string;
        };
        PlacementNode: {
            fits: boolean;
            id: string;
            name: string;
            /** @description What would stay free, or why it does not fit */
            reason: string;
            /**
             * Format: int64
             * @description When it fits: the higher, the more stays free there
             */
            score: number;
        };
        Problem: {
            /** @description Short and stable, for programs */
            code: string;
            /** @description One sentence: the fact and the way out */
            detail: string;
            /** @description The request field at fault */
            field?: string;
            /** @description All request fields at fault, where there are several */
            fields?: components["schemas"]["FieldFault"][] | null;
            /** @description The operation that failed, with wait */
            operation?: components["schemas"]["Operation"];
            request_id: string;
            /** Format: int64 */
            status: number;
            title: string;
            /** @description about:blank */
            type: string;
        };
        Prove: {
            password: string;
            /** @description Of the session, from clients that keep no cookies: it is exchanged for a new one */
            refresh_token?: string;
        };
        PutMembership: {
            /** @description Built-in but not administrator, or own */
            role: string;
        };
        Quota: {
            /**
             * Format: int64
             * @description IPv4 addresses of NICs
             */
            addresses: number;
            /** Format: int64 */
            cpus: number;
            /** Format: int64 */
            disk_gib: number;
            /** Format: int64 */
            memory_mib: number;
            /** Format: int64 */
            snapshots: number;
            /** Format: int64 */
            vms: number;
        };
        Ready: {
            ready: boolean;
            reasons: string[];
        };
        Refresh: {
            refresh_token?: string;
        };
        Register: {
            email: string;
            /** @description Needed where registration is by invitation */
            invite?: string;
            /** @description At least 12 characters; no rules on which */
            password: string;
            username: string;
        };
        Registered: {
            message: string;
            /** @description A mail must be answered before the first sign-in */
            verification_required: boolean;
        };
        ResetPassword: {
            password: string;
            token: string;
        };
        Role: {
            actions: string[];
            /** @description It cannot be changed or deleted */
            built_in: boolean;
            description: string;
            name: string;
            /** @description With tenants named */
            tenant_ids: string[];
            /**
             * @description Whose things; actions of the platform itself do not depend on it
             * @enum {string}
             */
            tenants: "own" | "all" | "named";
            /**
             * Format: int64
             * @description 0: built-in
             */
            version: number;
        };
        Server: {
            /** @description host:port at which the other servers reach it; empty: it shares its database with none */
            address: string;
            id: string;
            /** @description Host name of its machine */
            name: string;
            /**
             * Format: int64
             * @description Nodes that are connected to it
             */
            nodes: number;
            /**
             * Format: date-time
             * @description When it last said that it lives, every ten seconds, by its own clock; after two minutes of silence it is forgotten
             */
            seen_at: string;
            /** @description It is the one that answers */
            self: boolean;
            /** Format: date-time */
            started_at: string;
            /**
             * @description silent: it said nothing for 40 seconds; stopped: it said that it stops
             * @enum {string}
             */
            state: "alive" | "silent" | "stopped";
            version: string;
        };
        Session: {
            address: string;
            agent: string;
            /** Format: date-time */
            created_at: string;
            /** @description The one that asks */
            current: boolean;
            /**
             * Format: date-time
             * @description Unless it is refreshed
             */
            ends_at: string;
            id: string;
            /** Format: date-time */
            seen_at: string;
        };
        Setup: {
            email: string;
            password: string;
            token: string;
            username: string;
        };
        SignInMethods: {
            /** @description At /api/auth/oidc/login */
            oidc: boolean;
            passkeys: boolean;
            /** @enum {string} */
            registration: "open" | "invited" | "closed";
        };
        Snapshot: {
            /** Format: date-time */
            created_at: string;
            description: string;
            id: string;
            memory: boolean;
            name: string;
            /** @description creating, ready, reverting, deleting or error */
            state: string;
            state_reason: string;
            /** Format: int64 */
            version: number;
            vm: string;
        };
        SnapshotAnswer: {
            /** Format: date-time */
            created_at: string;
            description: string;
            id: string;
            memory: boolean;
            name: string;
            operation?: components["schemas"]["Operation"];
            /** @description creating, ready, reverting, deleting or error */
            state: string;
            state_reason: string;
            /** Format: int64 */
            version: number;
            vm: string;
        };
        StopVM: {
            /** @description Without asking the guest */
            force?: boolean;
            /**
             * Format: int64
             * @description Seconds that the guest has before it is ended; absent: the VM's own
             */
            grace_s?: number;
        };
        Tenant: {
            /** Format: date-time */
            created_at: string;
            id: string;
            name: string;
            /** @description 0 is no limit */
            quota: components["schemas"]["Quota"];
            /** @description Its accounts do nothing without a second factor */
            require_second_factor: boolean;
            used: components["schemas"]["Quota"];
            /** Format: int64 */
            version: number;
        };
        Token: {
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at?: string;
            id: string;
            /**
             * Format: date-time
             * @description To the minute
             */
            last_used_at?: string;
            name: string;
            /** @description null: all that the account may do */
            scopes: string[] | null;
            /** @description Where it acts; absent: in the own tenant of the account */
            tenant?: string;
            /** @description Shown once, when it is made; send it as Authorization: Bearer */
            token?: string;
        };
        TokenOnly: {
            token: string;
        };
        UpdateNode: {
            /** @description Takes no new VMs */
            cordoned?: boolean;
            /** @description Replaces all labels */
            labels?: {
                [key: string]: string;
            };
        };
        UpdateRole: {
            /** @description All of them */
            actions?: string[];
            description?: string;
            /** @description All of them, with tenants named */
            tenant_ids?: string[];
            /** @enum {string} */
            tenants?: "own" | "all" | "named";
        };
        UpdateTenant: {
            name?: string;
            /** @description The whole quota */
            quota?: components["schemas"]["Quota"];
            /** @description Counts from the next request of each account */
            require_second_factor?: boolean;
        };
        UpdateUser: {
            disabled?: boolean;
            /** @description Built-in or own */
            role?: string;
            /** @description Id or name */
            tenant?: string;
        };
        UpdateVM: {
            add_disks?: components["schemas"]["NewDisk"][] | null;
            /** @description Networks by id or name */
            add_nics?: string[] | null;
            autostart?: components["schemas"]["Autostart"];
            /** Format: int64 */
            cpus?: number;
            description?: string;
            /** @description Of disks that are there */
            disks?: components["schemas"]["DiskChange"][] | null;
            /** @description Replaces all forwards */
            forwards?: components["schemas"]["Forward"][];
            /** Format: int64 */
            memory_mib?: number;
            name?: string;
            protected?: boolean;
            /** @description Their content is lost */
            remove_disks?: string[] | null;
            remove_nics?: string[] | null;
            /** @enum {string} */
            restart?: "stay" | "elsewhere";
            /** @description Replaces all tags */
            tags?: string[];
        };
        User: {
            /** Format: date-time */
            created_at: string;
            disabled: boolean;
            email: string;
            email_verified: boolean;
            id: string;
            /** @description Built-in: administrator, operator, developer, viewer; or the name of an own role */
            role: string;
            tenant: string;
            username: string;
            /** Format: int64 */
            version: number;
        };
        VM: {
            /** @description kvm or tcg while it runs */
            accel: string;
            /** @description Per verb: possible now, or one sentence why not */
            actions: {
                [key: string]: components["schemas"]["VMDecision"];
            };
            /** @description As the guest reports them, else as its networks gave them */
            addresses: string[];
            arch: string;
            autostart: components["schemas"]["VMAutostart"];
            /** @description Fixed at the first start */
            cpu_model: string;
            /** Format: int64 */
            cpus: number;
            /** Format: date-time */
            created_at: string;
            description: string;
            /**
             * Format: int64
             * @description All disks together
             */
            disk_gib: number;
            disks: components["schemas"]["VMDisk"][];
            display: boolean;
            firmware: string;
            forwards: components["schemas"]["VMForward"][];
            /** @description The guest agent answers */
            guest_agent: boolean;
            /** @description As the guest agent says */
            hostname: string;
            id: string;
            /** @description Digest of the image that it was made from; empty: a blank disk */
            image: string;
            /** @description Names of the VMs whose disks rest on this one's */
            linked_clones: string[];
            /** @description Fixed at the first start */
            machine_type: string;
            /** Format: int64 */
            memory_mib: number;
            /** @description Unique within the tenant; the guest's host name */
            name: string;
            nics: components["schemas"]["NIC"][];
            /** @description Name of the node that it is on; empty until one was chosen */
            node: string;
            node_id: string;
            /** @description The operation that acts on it now */
            operation_id?: string;
            protected: boolean;
            restart: string;
            /** @description Changes that wait for the next start, as sentences */
            restart_required: string[];
            secure_boot: boolean;
            /** Format: int64 */
            snapshot_count: number;
            /** @description host:port on the node that reaches the guest's port 22; may be empty */
            ssh: string;
            ssh_keys: string[];
            /** @enum {string} */
            status: "creating" | "stopped" | "starting" | "running" | "stopping" | "paused" | "suspended" | "migrating" | "error" | "unknown";
            /** @description A sentence, where the status alone does not explain itself */
            status_reason: string;
            /** @description In alphabetical order */
            tags: string[];
            tenant: string;
            tpm: boolean;
            /** Format: date-time */
            updated_at: string;
            user_data: string;
            /**
             * Format: int64
             * @description Counts the changes; the ETag of the VM
             */
            version: number;
            /**
             * @description The run state that its user asked for
             * @enum {string}
             */
            wanted: "stopped" | "running" | "paused" | "suspended" | "gone";
        };
        VMAnswer: {
            /** @description kvm or tcg while it runs */
            accel: string;
            /** @description Per verb: possible now, or one sentence why not */
            actions: {
                [key: string]: components["schemas"]["VMDecision"];
            };
            /** @description As the guest reports them, else as its networks gave them */
            addresses: string[];
            arch: string;
            autostart: components["schemas"]["VMAutostart"];
            /** @description Fixed at the first start */
            cpu_model: string;
            /** Format: int64 */
            cpus: number;
            /** Format: date-time */
            created_at: string;
            description: string;
            /**
             * Format: int64
             * @description All disks together
             */
            disk_gib: number;
            disks: components["schemas"]["VMDisk"][];
            display: boolean;
            firmware: string;
            forwards: components["schemas"]["VMForward"][];
            /** @description The guest agent answers */
            guest_agent: boolean;
            /** @description As the guest agent says */
            hostname: string;
            id: string;
            /** @description Digest of the image that it was made from; empty: a blank disk */
            image: string;
            /** @description Names of the VMs whose disks rest on this one's */
            linked_clones: string[];
            /** @description Fixed at the first start */
            machine_type: string;
            /** Format: int64 */
            memory_mib: number;
            /** @description Unique within the tenant; the guest's host name */
            name: string;
            nics: components["schemas"]["NIC"][];
            /** @description Name of the node that it is on; empty until one was chosen */
            node: string;
            node_id: string;
            operation?: components["schemas"]["Operation"];
            /** @description The operation that acts on it now */
            operation_id?: string;
            protected: boolean;
            restart: string;
            /** @description Changes that wait for the next start, as sentences */
            restart_required: string[];
            secure_boot: boolean;
            /** Format: int64 */
            snapshot_count: number;
            /** @description host:port on the node that reaches the guest's port 22; may be empty */
            ssh: string;
            ssh_keys: string[];
            /** @enum {string} */
            status: "creating" | "stopped" | "starting" | "running" | "stopping" | "paused" | "suspended" | "migrating" | "error" | "unknown";
            /** @description A sentence, where the status alone does not explain itself */
            status_reason: string;
            /** @description In alphabetical order */
            tags: string[];
            tenant: string;
            tpm: boolean;
            /** Format: date-time */
            updated_at: string;
            user_data: string;
            /**
             * Format: int64
             * @description Counts the changes; the ETag of the VM
             */
            version: number;
            /**
             * @description The run state that its user asked for
             * @enum {string}
             */
            wanted: "stopped" | "running" | "paused" | "suspended" | "gone";
        };
        VMAutostart: {
            /** Format: int64 */
            delay_s: number;
            enabled: boolean;
            /** Format: int64 */
            order: number;
        };
        VMChange: {
            action: string;
            actor: string;
            /** @description Of a change: before and after */
            detail: unknown;
            /** Format: int64 */
            id: number;
            request_id: string;
            /** @description ok, or the code of the refusal */
            result: string;
            /** Format: date-time */
            time: string;
        };
        VMDecision: {
            allowed: boolean;
            why?: string;
        };
        VMDisk: {
            boot_from?: boolean;
            cdrom?: boolean;
            from?: string;
            id: string;
            image?: string;
            /** Format: int64 */
            iops?: number;
            linked?: boolean;
            /** Format: int64 */
            mib_per_s?: number;
            /** Format: int64 */
            size_gib: number;
        };
        VMForward: {
            /** Format: int64 */
            guest_port: number;
            /** Format: int64 */
            host_port: number;
            listen?: string;
            protocol: string;
        };
        VMSummary: {
            /** @description As the guest reports them, else as its networks gave them */
            addresses: string[];
            /** Format: int64 */
            cpus: number;
            /** Format: date-time */
            created_at: string;
            /**
             * Format: int64
             * @description All disks together
             */
            disk_gib: number;
            id: string;
            /** @description Digest of the image that it was made from; empty: a blank disk */
            image: string;
            /** Format: int64 */
            memory_mib: number;
            /** @description Unique within the tenant; the guest's host name */
            name: string;
            /** @description Name of the node that it is on; empty until one was chosen */
            node: string;
            node_id: string;
            /** @enum {string} */
            status: "creating" | "stopped" | "starting" | "running" | "stopping" | "paused" | "suspended" | "migrating" | "error" | "unknown";
            /** @description A sentence, where the status alone does not explain itself */
            status_reason: string;
            /** @description In alphabetical order */
            tags: string[];
            tenant: string;
            /**
             * Format: int64
             * @description Counts the changes; the ETag of the VM
             */
            version: number;
        };
        VerifyLogin: {
            challenge_token: string;
            /** @description Of the app, or a backup code */
            code: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    renewBackupCodes: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BackupCodes"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    disableFactor: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    enableFactor: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Code"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BackupCodes"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    setupFactor: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FactorSetup"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    factorStatus: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FactorStatus"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verifyLogin: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VerifyLogin"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changeEmail: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangeEmail"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangePassword"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    confirmEmail: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenOnly"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    forgotPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailOnly"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    me: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listOwnMemberships: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListMembership"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    signInMethods: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInMethods"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    finishOIDC: {
        parameters: {
            query?: {
                state?: string;
                code?: string;
                error?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Found */
            302: {
                headers: {
                    Location?: string;
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    oidcLink: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OIDCLink"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    linkOIDC: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OIDCBegun"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    beginOIDC: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Found */
            302: {
                headers: {
                    Location?: string;
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unlinkOIDC: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listPasskeys: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListPasskey"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    beginPasskeyLogin: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PasskeyLogin"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasskeyChallenge"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    finishPasskeyLogin: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyAnswer"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    beginPasskey: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasskeyChallenge"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    finishPasskey: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPasskey"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasskeyMade"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    removePasskey: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description 1023 bytes in base64url at most */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    prove: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Prove"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    refresh: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Refresh"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    register: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Register"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Registered"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resendVerification: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailOnly"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResetPassword"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listSessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSession"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endSessions: {
        parameters: {
            query?: {
                /** @description Stay signed in here; absent: sign out here too */
                others?: boolean;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    setup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Setup"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verifyEmail: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenOnly"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ready"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listAudit: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
                /** @description Id */
                user?: string;
                /** @description For example vm.create or vm.* */
                action?: string;
                /** @description For example vm/ID */
                subject?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListAuditEntry"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    checkAudit: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditCheck"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listCatalogue: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListCatalogueEntry"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description Cursor: the id of an event, or next_cursor; absent: from the oldest that is kept */
                since?: string;
                /** @description The last events instead of the first, oldest first all the same; next_cursor is where live events go on */
                newest?: boolean;
                /** @description Types or prefixes with a star, separated by commas: vm.*,operation.* */
                topics?: string;
                /** @description For example vm/ID */
                subject?: string;
                /** @description More than 1000 is capped */
                limit?: number;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListEvent"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listImages: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
                /** @description Part of the name */
                name?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListImage"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createImage: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateImage"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImageAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImageAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getImage: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Image"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteImage: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getUpload: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description In Upload-Offset */
            200: {
                headers: {
                    /** @description Bytes that are on the disk */
                    "Upload-Offset"?: number;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    uploadImage: {
        parameters: {
            query?: never;
            header: {
                /** @description Where the bytes belong */
                "Upload-Offset": number;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description More is to come */
            200: {
                headers: {
                    /** @description Bytes that are on the disk */
                    "Upload-Offset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImageAnswer"];
                };
            };
            /** @description All is here; the import has begun */
            202: {
                headers: {
                    /** @description Bytes that are on the disk */
                    "Upload-Offset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImageAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listInvites: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListInvite"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createInvite: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateInvite"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InviteMade"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteInvite: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listNetworks: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListNetwork"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNetwork: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Network"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listNodes: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListNode"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createJoinToken: {
        parameters: {
            query?: {
                /** @description How long it is good, up to 24h; absent: 1h */
                lifetime?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JoinToken"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNode: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Node"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    removeNode: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateNode: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
                /** @description The ETag that was read; 412 when somebody changed it since */
                "If-Match"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateNode"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Node"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    confirmNodeDead: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Node"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listOperations: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
                /** @description What they act on, for example vm/ID */
                subject?: string;
                kind?: string;
                /** @description open: all that have not ended */
                status?: "open" | "queued" | "running" | "undoing" | "succeeded" | "failed" | "canceled" | "stuck";
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListOperation"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getOperation: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Operation"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelOperation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Operation"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryOperation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    previewVM: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateVM"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Placement"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listRoles: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListRole"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createRole: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateRole"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Role"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getRole: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Role"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteRole: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateRole: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
                /** @description The ETag that was read; 412 when somebody changed it since */
                "If-Match"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateRole"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Role"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listServers: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListServer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTenants: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListTenant"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createTenant: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateTenant"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tenant"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTenant: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tenant"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteTenant: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateTenant: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
                /** @description The ETag that was read; 412 when somebody changed it since */
                "If-Match"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateTenant"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tenant"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTokens: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListToken"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateToken"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Token"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listUsers: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListUser"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateUser"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
                /** @description The ETag that was read; 412 when somebody changed it since */
                "If-Match"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateUser"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listMemberships: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListMembership"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putMembership: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
                /** @description Id or name */
                tenant: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PutMembership"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Membership"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteMembership: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
                /** @description Id or name */
                tenant: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resetUserFactor: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordOnly"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listUserSessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSession"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endUserSessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endUserSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
                session: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listVMs: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
                status?: "creating" | "stopped" | "starting" | "running" | "stopping" | "paused" | "suspended" | "migrating" | "error" | "unknown";
                /** @description Id or name */
                node?: string;
                /** @description Part of the name */
                name?: string;
                /** @description Digest */
                image?: string;
                tenant?: string;
                /** @description A tag; of several with commas between, the VMs that have all */
                tag?: string;
                /** @description An address of the VM, or the beginning of one */
                address?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListVMSummary"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateVM"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getVM: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VM"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
                /** @description The ETag that was read; 412 when somebody changed it since */
                "If-Match"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
                /** @description The ETag that was read; 412 when somebody changed it since */
                "If-Match"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateVM"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listVMChanges: {
        parameters: {
            query?: {
                /** @description Items of a page; absent: 100; more than 1000 is capped */
                limit?: number;
                /** @description next_cursor of the page before */
                cursor?: string;
                /** @description A field, with - in front for descending */
                sort?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListVMChange"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cloneVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CloneVM"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    openConsole: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ConsoleWish"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConsoleTicket"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    restartVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["StopVM"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listSnapshots: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSnapshot"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createSnapshot: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateSnapshot"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SnapshotAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SnapshotAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSnapshot: {
        parameters: {
            query?: never;
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
                /** @description Id or name */
                snapshot: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Snapshot"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteSnapshot: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
                /** @description Id or name */
                snapshot: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    revertSnapshot: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
                /** @description Id or name */
                snapshot: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SnapshotAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SnapshotAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    startVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stopVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["StopVM"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    suspendVM: {
        parameters: {
            query?: {
                /** @description Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed */
                wait?: string;
            };
            header?: {
                /** @description Tenant to act in, by id or name; absent: the account's own one */
                "Novacron-Tenant"?: string;
            };
            path: {
                /** @description Id or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description It has begun; Location points to the operation */
            202: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    loginShort: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    registerShort: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Register"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Registered"];
                };
            };
            /** @description Why not */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
