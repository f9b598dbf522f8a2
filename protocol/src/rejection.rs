//! Rejections: every reason for a "no", named as the chain's errors. A "no" is a value.
//!
//! Append variants only: their position is part of every log.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident: $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
            thiserror::Error,
        )]
        pub enum $name {
            $(#[doc = $text] #[error($text)] $variant,)*
        }

        impl $name {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name as logs and metrics write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }
        }
    };
}

reasons! {
    /// Why an included call changed nothing but the nonce.
    Rejection {
        FundsUnavailable: "The sender has less than the amount.",
        BelowMinimum: "A new account would hold less than the existential deposit.",
        SubnetNotExists: "No such subnet.",
        SubtokenDisabled: "The subnet has not started.",
        AmountTooLow: "The amount is below the minimum stake and its fee.",
        SlippageTooHigh: "The price limit would be passed.",
        NotEnoughBalanceToStake: "The coldkey cannot pay.",
        HotKeyAccountNotExists: "The hotkey has no owner.",
        InsufficientLiquidity: "The pool cannot serve the order.",
        ReservesTooLow: "A pool reserve is below its minimum.",
        PriceLimitExceeded: "The price is already beyond the limit.",
        StakingOperationRateLimitExceeded: "Stake added in this block cannot leave in it.",
        NotEnoughStakeToWithdraw: "The position holds less than the amount.",
        ZeroBalanceAfterWithdrawn: "Nothing could be withdrawn above the existential deposit.",
        NonAssociatedColdKey: "The hotkey belongs to another coldkey.",
        SubNetRegistrationDisabled: "Registration is closed.",
        NetworkTxRateLimitExceeded: "A subnet was registered too recently.",
        SubnetLimitReached: "All subnet slots are taken and none can be pruned.",
        CannotAffordLockCost: "The coldkey cannot pay the lock cost.",
        BadOrigin: "The signer may not do this.",
        FirstEmissionBlockNumberAlreadySet: "The subnet has started already.",
        NeedWaitingMoreBlocksToStarCall: "The start call comes too early.",
        RegistrationNotPermittedOnRootSubnet: "Root has its own registration.",
        RootNetworkDoesNotExist: "There is no root network.",
        TooManyRegistrationsThisBlock: "The block's registrations are used up.",
        TooManyRegistrationsThisInterval: "The interval's registrations are used up.",
        HotKeyAlreadyRegisteredInSubNet: "The hotkey has a uid here.",
        NoNeuronIdAvailable: "No uid is free and none can be pruned.",
        StakeTooLowForRoot: "The lowest root member has at least as much stake.",
        CommitRevealEnabled: "Weights must be committed, not set.",
        CanNotSetRootNetworkWeights: "Root has no weights.",
        WeightVecNotEqualSize: "Destinations and weights differ in number.",
        MechanismDoesNotExist: "No such mechanism.",
        UidsLengthExceedUidsInSubNet: "More destinations than neurons.",
        HotKeyNotRegisteredInSubNet: "The hotkey has no uid here.",
        NotEnoughStakeToSetWeights: "Stake is below the threshold.",
        IncorrectWeightVersionKey: "The version key is too old.",
        SettingWeightsTooFast: "Weights were set too recently.",
        NeuronNoValidatorPermit: "The neuron has no validator permit.",
        DuplicateUids: "A destination occurs twice.",
        UidVecContainInvalidOne: "A destination is no uid.",
        WeightVecLengthIsLow: "Too few destinations.",
        HotKeyNotRegisteredInNetwork: "The hotkey has no uid anywhere.",
        InvalidIpType: "The IP type is neither 4 nor 6.",
        InvalidIpAddress: "The IP address cannot be served.",
        ServingRateLimitExceeded: "The endpoint was served too recently.",
        InvalidPort: "Port 0 cannot be served.",
        SubnetDoesNotExist: "No such subnet (parameter calls).",
        AdminActionProhibitedDuringWeightsWindow: "Parameters are frozen just before an epoch.",
        MaxValidatorsLargerThanMaxUIds: "More validators than uids.",
        TooManySwapSteps: "The swap needs too many steps.",
        ZeroMaxStakeAmount: "The limit price allows nothing.",
        SameNetuid: "Stake would move to where it is.",
        TransferDisallowed: "The subnet does not allow transfers of stake.",
        CannotBurnOrRecycleOnRootSubnet: "Root stake cannot be destroyed.",
        PrecisionLoss: "More would be taken than ordered.",
        AddStakeBurnRateLimitExceeded: "The subnet's owner bought and burned too recently.",
        SameAutoStakeHotkeyAlreadySet: "That destination is set already.",
        DelegateTakeTooLow: "The take is below its bound.",
        DelegateTakeTooHigh: "The take is above its bound.",
        DelegateTxRateLimitExceeded: "The take was changed too recently.",
        InvalidChildkeyTake: "The childkey take is above its bound.",
        TxChildkeyTakeRateLimitExceeded: "The childkey take was changed too recently.",
        TxRateLimitExceeded: "The same was ordered too recently.",
        DuplicateChild: "A child occurs twice.",
        InvalidChild: "A hotkey cannot be its own child.",
        TooManyChildren: "A hotkey has five children at most.",
        ProportionOverflow: "The proportions sum to more than one.",
        ChildParentInconsistency: "An account would be both parent and child of the hotkey.",
        NotEnoughStakeToSetChildkeys: "The hotkey's stake is below the threshold.",
        InvalidSubnetNumber: "The set of subnets has none, or more than five.",
        InvalidNumRootClaim: "Fifty automatic claims a block at most.",
        InvalidRootClaimThreshold: "The claim threshold is above its bound.",
        InvalidValue: "The value is out of bounds.",
        TooManyUIDsPerMechanism: "Uids times mechanisms exceed 256.",
        FeeRateTooHigh: "The fee rate is above its bound.",
        CommitRevealDisabled: "Weights are set, not committed, here.",
        CommittingWeightsTooFast: "Weights were committed too recently.",
        TooManyUnrevealedCommits: "Ten commits wait already.",
        NoWeightsCommitFound: "The hotkey has no commit that could be opened.",
        ExpiredWeightCommit: "The commit can no longer be opened.",
        InvalidRevealCommitHashNotMatch: "No commit has the hash of what was revealed.",
        RevealTooEarly: "The commit cannot be opened yet.",
        NotExpendable: "The sender would fall below the existential deposit.",
        InvalidIdentity: "A text of the identity is too long.",
        NotSubnetOwner: "Only the subnet's owner may do this.",
        SymbolDoesNotExist: "No such symbol in the table.",
        SymbolAlreadyInUse: "Another subnet has that symbol.",
        TransactorAccountShouldBeHotKey: "Proof of work is signed by the hotkey.",
        InvalidWorkBlock: "The work names a block of the future, or one that is too old.",
        InvalidDifficulty: "The work does not meet the difficulty.",
        InvalidSeal: "The work is not the seal of its nonce.",
        NewHotKeyIsSameWithOld: "The new hotkey is the old one.",
        HotKeySetTxRateLimitExceeded: "The coldkey swapped a hotkey too recently.",
        HotKeySwapOnSubnetIntervalNotPassed: "The coldkey swapped a hotkey on the subnet too recently.",
        NotEnoughBalanceToPaySwapHotKey: "The coldkey cannot pay for the swap.",
        NotEnoughBalanceToPaySwapColdKey: "The coldkey cannot pay for its swap.",
        ColdkeySwapReannouncedTooEarly: "A coldkey swap was announced too recently.",
        ColdkeySwapAnnouncementNotFound: "No coldkey swap was announced.",
        AnnouncedColdkeyHashDoesNotMatch: "Another coldkey was announced.",
        ColdkeySwapTooEarly: "The announced swap has to wait.",
        ColdkeySwapAlreadyDisputed: "The announced swap is disputed already.",
        ColdKeyAlreadyAssociated: "The new coldkey is in use.",
        NewColdKeyIsHotkey: "The new coldkey is a hotkey.",
        ColdkeySwapAnnounced: "The signer has announced a coldkey swap and may do nothing else.",
        ColdkeySwapDisputed: "The signer's coldkey swap is disputed; it may do nothing.",
        IncorrectCommitRevealVersion: "The commit is sealed for another version.",
        InputLengthsUnequal: "The lists of a batch differ in length.",
        MaxAllowedUidsLessThanMinAllowedUids: "Fewer uids than the subnet's minimum.",
        MaxAllowedUIdsLessThanCurrentUIds: "Fewer uids than there are neurons.",
        MaxAllowedUidsGreaterThanDefaultMaxAllowedUids: "More uids than 256.",
        ActivityCutoffTooLow: "The activity cutoff is below its bound.",
        ValueNotInBounds: "The burn is out of bounds, or its minimum would not be below its maximum.",
        BondsMovingAverageMaxReached: "The bonds' average is above the bound of owners.",
        RevealPeriodTooLarge: "The reveal period is above its bound.",
        RevealPeriodTooSmall: "The reveal period is below its bound.",
        LiquidAlphaDisabled: "Liquid alpha is off.",
        AlphaHighTooLow: "The higher alpha is below its bound.",
        AlphaLowOutOfRange: "The lower alpha is below its bound or above the higher one.",
        NegativeSigmoidSteepness: "Only root sets a negative steepness.",
        MinAllowedUidsGreaterThanMaxAllowedUids: "The minimum of uids is not below their maximum.",
        MinAllowedUidsGreaterThanCurrentUids: "The minimum of uids is not below the number of neurons.",
        TrimmingWouldExceedMaxImmunePercentage: "Too many of the uids left would be protected.",
    }
}

reasons! {
    /// Why a call was not included at all (30 §14.1).
    Refusal {
        StakeAmountTooLow: "Code 1: stake is below the threshold to set weights.",
        RateLimitExceeded: "Code 6: the interval's registrations are used up, or a subnet was registered too recently.",
        HotkeyNotRegistered: "Code 10: the hotkey has no uid anywhere.",
        InvalidIpAddress: "Code 11: the IP address cannot be served.",
        ServingRateLimitExceeded: "Code 12: the endpoint was served too recently.",
        InvalidPort: "Code 13: port 0 cannot be served.",
        BadRequest: "Code 255: the request is malformed.",
        Stale: "The nonce was used already.",
        Future: "The nonce leaves a gap.",
        Payment: "The signer's account does not exist, so it cannot pay.",
        PoolFull: "More calls wait than the pool holds.",
        Crashed: "The call could not be decided.",
        BadSigner: "The signer may not submit this call.",
        CommitNotFound: "Code 16: nobody committed to what is revealed.",
        CommitBlockNotInRevealRange: "Code 17: the commit cannot be opened in this epoch.",
        InvalidRevealRound: "Code 15: the round is older than the last one stored.",
        InputLengthsUnequal: "Code 18: the lists of a batch differ in length.",
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Included and done.
    Ok,
    /// Included; only the nonce (and the fee) remain.
    Failed(Rejection),
    /// Not included; nothing changed.
    Refused(Refusal),
}

impl Outcome {
    /// `ok`, `failed` or `refused`.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
        }
    }

    /// The reason of a "no"; empty for `Ok`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "",
            Self::Failed(rejection) => rejection.name(),
            Self::Refused(refusal) => refusal.name(),
        }
    }
}
